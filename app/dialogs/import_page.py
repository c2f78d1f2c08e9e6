"""The right side of the import dialog: what one file holds, and what to do with it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QButtonGroup,
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPushButton,
    QRadioButton,
    QScrollArea,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from app import theme
from app.dialogs.facts import UNITS, has_unit
from app.dialogs.frame import heading, muted, size_text
from app.dialogs.import_item import KEEP, ImportItem, label_field, with_label
from app.dialogs.notice import Notice
from app.dialogs.seed_edit import SeedEdit
from app.forms import ParamForm
from engines.core import Method, UserError

if TYPE_CHECKING:
    from engines.files import Reader


class ImportPage(QScrollArea):
    """Shows and edits one :class:`ImportItem`. Built anew when the file has been read or its plan changes."""

    renamed = Signal()
    separated = Signal()

    def __init__(self, item: ImportItem, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.item = item
        self.setObjectName("import_page")
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        inner = QWidget()
        inner.setProperty("kind", "page")
        self._column = QVBoxLayout(inner)
        self._column.setContentsMargins(0, 0, 8, 0)
        self._column.setSpacing(theme.GRID)
        self.setWidget(inner)
        self.form: ParamForm | None = None
        self.labels: QTreeWidget | None = None
        self.reader_form: ParamForm | None = None
        self._built_for: tuple[object, ...] = ()
        self._build_name()
        self.error = Notice("import_error")
        self.problems = Notice("import_problems")
        self._column.addWidget(self.error)
        self._column.addWidget(self.problems)
        self._facts = QWidget()
        self._facts.setObjectName("import_facts")
        self._facts.setAccessibleName("What the file holds")
        self._rows = QGridLayout(self._facts)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setHorizontalSpacing(16)
        self._rows.setVerticalSpacing(4)
        self._rows.setColumnStretch(1, 1)
        self._column.addWidget(self._facts)
        self.apart = QPushButton("Add as separate images", objectName="import_apart")
        self.apart.setAccessibleName(self.apart.text())
        self.apart.setToolTip("They were taken for photos of one scene, as they were chosen together.")
        self.apart.setProperty("kind", "quiet")
        self.apart.setAutoDefault(False)
        self.apart.setVisible(bool(item.parts))
        self.apart.clicked.connect(self.separated)
        self._column.addWidget(self.apart, 0, Qt.AlignmentFlag.AlignLeft)
        self._plan_box = _section(self._column)
        self._form_box = _section(self._column)
        self.link = QCheckBox(objectName="import_link")
        self.link.setChecked(item.link)
        self.link.toggled.connect(lambda on: setattr(item, "link", on))
        self._column.addWidget(self.link)
        self._reader_box = _section(self._column)
        self._column.addStretch(1)
        self._read_again = QTimer(self, singleShot=True, interval=400)
        self._read_again.timeout.connect(self._reread)
        item.changed.connect(self.update_page)
        self.update_page()

    # building ----------------------------------------------------------------------------------------

    def _build_name(self) -> None:
        self.name = QLineEdit(self.item.name, objectName="import_name")
        self.name.setAccessibleName("Name in the project")
        self.name.textEdited.connect(self._rename)
        self.unit = QComboBox(objectName="import_unit")
        self.unit.setAccessibleName("Unit of length")
        for unit in UNITS:
            self.unit.addItem(unit or "No unit", unit)
        self.unit.activated.connect(lambda _: self.item.set_unit(self.unit.currentData()))
        self._unit_label = QLabel("Unit")
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(theme.GRID)
        grid.setColumnStretch(1, 1)
        grid.setColumnMinimumWidth(0, 80)
        grid.addWidget(QLabel("Name"), 0, 0)
        grid.addWidget(self.name, 0, 1)
        grid.addWidget(self._unit_label, 1, 0)
        grid.addWidget(self.unit, 1, 1)
        self._column.addLayout(grid)

    def _rename(self, text: str) -> None:
        self.item.name = text
        self.renamed.emit()

    def update_page(self) -> None:
        """Follow the item; sections are built anew only when what they depend on has changed."""
        item = self.item
        source = item.source
        unit_known = source is not None and has_unit(source)
        self.unit.setVisible(unit_known)
        self._unit_label.setVisible(unit_known)
        if unit_known:
            if self.unit.findData(item.unit) < 0:
                self.unit.addItem(str(item.unit), item.unit)
            self.unit.setCurrentIndex(self.unit.findData(item.unit))
        answers = self._answers(item.error)
        if answers and isinstance(item.error, UserError):
            self.error.say("warn", item.error.what, f"{item.error.why}\n{item.error.mend}", answers)
        elif item.error is not None:
            self.error.say_error(item.error)
        elif item.state == "cancelled":
            self.error.say("info", "Reading was stopped.", actions=[("Read again", item.read)])
        else:
            self.error.clear()
        self._show_problems()
        self.link.setVisible(item.can_link)
        if item.can_link:
            what = "Link to the folder" if item.many_files else "Keep in its file and link to it"
            self.link.setText(f"{what} ({size_text(item.file_bytes)})")
            needs = "each photo in its folder" if item.many_files else "the file"
            self.link.setToolTip(f"The project stays small, and needs {needs} whenever the data are used.")
            self.link.setAccessibleName(self.link.text())
        refused = id(item.error) if item.state == "refused" and item.found is None else None
        now = (id(item.found), item.methods_known, item.plan, refused)
        if now != self._built_for:
            self._built_for = now
            self._show_facts()
            self._build_reader()
            self._build_plans()
            self._build_form()

    def _answers(self, error: BaseException | None) -> list[tuple[str, Callable[[], object]]]:
        """Buttons for the ways in which a file can be read that does not say which is meant."""
        from engines.files import Question

        if not isinstance(error, Question):
            return []
        return [(words, partial(self.item.answer_with, choice)) for words, choice in error.answers.items()]

    def _show_problems(self, whole: bool = False) -> None:
        """The first ones in short, with a button for all of them in full."""
        found = self.item.problems
        if not found:
            self.problems.clear()
            return
        count = len(found)
        short = [f"• {_short(text)}" for text in found[:8]] + ([f"• and {count - 8} more"] if count > 8 else [])
        full = [f"• {text}" for text in found]
        more = [("Show less" if whole else "Show all", lambda: self._show_problems(not whole))] if short != full else []
        title = f"{count} problem{'s' if count > 1 else ''} found"
        self.problems.say("warn", title, "\n".join(full if whole else short), more)

    def _show_facts(self) -> None:
        _empty(self._rows)
        item = self.item
        rows = [("File", item.path.name)]
        if item.file_bytes is not None:
            held = sum(a.nbytes for a in item.found.loaded.artifacts) if item.found else 0
            embedded = f", embedded as {size_text(held)}" if held else ""
            files = f" in {item.many_files:,} files" if item.many_files else ""
            rows.append(("Size", f"{size_text(item.file_bytes)}{files}{embedded}"))
        if item.found is not None:
            rows.append(("Format", item.found.reader.title))
            many = len(item.found.facts) > 1
            for index, facts in enumerate(item.found.facts):
                if many:
                    rows.append((f"Part {index + 1}", item.found.loaded.artifacts[index].name or ""))
                rows += facts.rows
        for index, (title, text) in enumerate(rows):
            value = QLabel(text, wordWrap=True, objectName=f"fact:{title}")
            value.setFont(theme.font(numbers=True))
            value.setTextFormat(Qt.TextFormat.PlainText)
            value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            left = muted(title)
            left.setMinimumWidth(80)
            self._rows.addWidget(left, index, 0, Qt.AlignmentFlag.AlignTop)
            self._rows.addWidget(value, index, 1)

    def _build_reader(self) -> None:
        box = self._reader_box
        _empty(box)
        self.reader_form = None
        found = self.item.found
        readers = self.item.readers
        if len(readers) > 1:
            combo = QComboBox(objectName="import_format")
            combo.setAccessibleName("Read as")
            for reader in readers:
                combo.addItem(reader.title, reader.key)
            combo.setCurrentIndex(combo.findData(self.item.format))
            combo.activated.connect(lambda _: self.item.read(None, combo.currentData()))
            row = QHBoxLayout()
            row.addWidget(QLabel("Read as"))
            row.addWidget(combo, 1)
            box.addLayout(row)
        reader = found.reader if found is not None else self._asking
        if reader is None:
            return
        # The unit has its own list above, which needs no second reading.
        if set(reader.options.model_fields) - {"unit"}:
            box.addWidget(heading("Reading the file", above=theme.GRID))
            self.reader_form = ParamForm(reader.options)
            self.reader_form.setObjectName("import_reader_form")
            self.reader_form.setAccessibleName("Reader options")
            if "unit" in reader.options.model_fields:
                self.reader_form.hide_field("unit")
            if self.item.options is not None:
                self.reader_form.set_params(self.item.options)
            self.reader_form.changed.connect(self._read_again.start)
            box.addWidget(self.reader_form)

    @property
    def _asking(self) -> Reader | None:
        """The reader that refused the file where other options may help: it asks, or was given some."""
        from engines.files import READERS, Question

        item = self.item
        if item.state != "refused" or not (isinstance(item.error, Question) or item.options is not None):
            return None
        return READERS.get(item.format)

    def _reread(self) -> None:
        form = self.reader_form
        if form is not None and form.valid and self.item.state in ("ready", "preparing", "refused"):
            self.item.read(form.params(), self.item.format)

    def _build_plans(self) -> None:
        box = self._plan_box
        _empty(box)
        item = self.item
        source = item.source
        if source is None or not item.methods:
            return
        box.addWidget(heading("Add", above=theme.GRID))
        group = QButtonGroup(self)
        plans = [(m.key, m.title, m.job) for m in item.methods]
        article = "an" if source.title[0] in "AEIOU" else "a"
        plans.append((KEEP, f"As {article} {source.title.lower()}", "As it is in the file."))
        for key, title, help_text in plans:
            button = QRadioButton(title, objectName=f"plan:{key}")
            button.setAccessibleName(title)
            button.setAccessibleDescription(help_text)
            button.setToolTip(help_text)
            button.setChecked(key == item.plan)
            button.toggled.connect(lambda on, key=key: self._choose_plan(key) if on else None)
            group.addButton(button)
            box.addWidget(button)
            if key == item.plan:
                below = muted(help_text)
                below.setContentsMargins(22, 0, 0, 4)
                box.addWidget(below)

    def _choose_plan(self, key: str) -> None:
        if key != self.item.plan:
            # Later: the button that was clicked is built anew.
            QTimer.singleShot(0, lambda: self.item.choose_plan(key))

    def _build_form(self) -> None:
        box = self._form_box
        _empty(box)
        self.form = self.labels = None
        item, method = self.item, self.item.method()
        if method is None:
            return
        field = label_field(method)
        labels = item.found.facts[0].labels if item.found else ()
        if field is not None and labels:
            box.addWidget(heading("Label", above=theme.GRID))
            box.addWidget(self._label_list())
        box.addWidget(heading(method.title, above=theme.GRID))
        self.form = ParamForm(method.params, method.presets)
        self.form.setObjectName("import_form")
        self.form.setAccessibleName(f"Settings of {method.title}")
        if item.params[method.key] != self.form.params():
            self.form.set_params(item.params[method.key])
        if field is not None and labels:
            self.form.hide_field(field)
        self.form.changed.connect(self._params_changed)
        box.addWidget(self.form)
        seed = SeedEdit(item.seed, "import")
        seed.changed.connect(item.set_seed)
        box.addWidget(seed)
        self._offer_source(method)

    def _offer_source(self, method: Method) -> None:
        source = self.item.source
        if source is None or any(issubclass(type(source), o.type) for o in method.outputs):
            return
        keep = QCheckBox(f"Add the {source.title.lower()} too", objectName="import_keep_source")
        keep.setAccessibleName(keep.text())
        keep.setChecked(self.item.keep_source)

        def toggled(on: bool) -> None:
            self.item.keep_source = on
            self.item.changed.emit()

        keep.toggled.connect(toggled)
        self._form_box.addWidget(keep)

    def _label_list(self) -> QTreeWidget:
        found = self.item.found
        assert found is not None
        counts = found.facts[0].labels
        total = sum(c.voxels for c in counts)
        tree = QTreeWidget(objectName="import_labels", rootIsDecorated=False, uniformRowHeights=True)
        tree.setAccessibleName("Labels")
        tree.setHeaderLabels(["Label", "Voxels", "Share"])
        tree.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        tree.setFont(theme.font(numbers=True))
        tree.header().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        chosen = getattr(self.item.params[self.item.plan], "label", None)
        everything = QTreeWidgetItem(tree, ["All labels", f"{total:,}", "100 %"])
        everything.setData(0, Qt.ItemDataRole.UserRole, None)
        if chosen is None:
            tree.setCurrentItem(everything)
        for count in counts:
            row = QTreeWidgetItem(tree, [str(count.label), f"{count.voxels:,}", f"{100 * count.voxels / total:.1f} %"])
            row.setData(0, Qt.ItemDataRole.UserRole, count.label)
            if count.label == chosen:
                tree.setCurrentItem(row)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        for index in range(tree.topLevelItemCount()):
            for column in (1, 2):
                tree.topLevelItem(index).setTextAlignment(column, right)
        tree.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        tree.setFixedHeight(34 + 27 * min(len(counts) + 1, 6))
        tree.currentItemChanged.connect(lambda now, _: self._choose_label(now))
        self.labels = tree
        return tree

    def _choose_label(self, row: QTreeWidgetItem | None) -> None:
        if row is None or self.form is None:
            return
        try:
            self.form.set_params(with_label(self.form.params(), row.data(0, Qt.ItemDataRole.UserRole)))
        except UserError as error:
            self.item.invalid(str(error))

    def _params_changed(self) -> None:
        if self.form is None:
            return
        try:
            params = self.form.params()
        except UserError as error:
            self.item.invalid(" ".join(p for p in (error.what, error.mend) if p))
            return
        self.item.set_params(params)


def _short(text: str, most: int = 240) -> str:
    """A long list cut between two of its names, with how many are left out."""
    if len(text) <= most:
        return text
    kept = text[: text.rfind(", ", 0, most)] if ", " in text[:most] else text[:most]
    left = text[len(kept) :].count(", ")
    return f"{kept} and {left:,} others." if left > 1 else f"{kept} …"


def _section(column: QVBoxLayout) -> QVBoxLayout:
    box = QVBoxLayout()
    box.setSpacing(6)
    column.addLayout(box)
    return box


def _empty(layout: QVBoxLayout | QGridLayout | QHBoxLayout) -> None:
    while (item := layout.takeAt(0)) is not None:
        if (widget := item.widget()) is not None:
            widget.hide()
            widget.deleteLater()
        elif (inner := item.layout()) is not None:
            _empty(inner)  # type: ignore[arg-type]
            inner.deleteLater()
