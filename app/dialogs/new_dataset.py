"""Make a dataset with a source: choose one, set it, look at what it gives, add it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QPainter, QPainterPath, QPixmap
from PySide6.QtWidgets import (
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QScrollArea,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from app import theme
from app.background import run_in_background
from app.dialogs.adding import Addition, add_together
from app.dialogs.frame import Dialog, column, heading, muted
from app.dialogs.live import Answer, LivePreparation, Request
from app.dialogs.notice import Notice
from app.dialogs.preview import Factory, PreviewPane
from app.dialogs.seed_edit import SeedEdit
from app.forms import ParamForm
from app.viewers.registry import Shown, create
from engines.assets import asset_path
from engines.core import FAMILIES, Method, Params, UserError

if TYPE_CHECKING:
    from app.project.project import Project


PICTURE = QSize(60, 40)


class NewDatasetDialog(Dialog):
    """``added(ids)`` after the dataset is in the project. ``source`` is the key to begin with."""

    added = Signal(list)

    def __init__(
        self, project: Project, parent: QWidget | None = None, *, source: str = "", viewer_factory: Factory = create
    ) -> None:
        super().__init__("new_dataset_dialog", "New dataset", parent, (1160, 740))
        self.project = project
        self.sources: list[Method] = []
        self.seed = 0
        self._first = source
        self._params: dict[str, Params] = {}
        self._names: dict[str, str] = {}
        self._answer: Answer | None = None
        self._adding = False
        self._live = LivePreparation(self)
        self._live.answered.connect(self._answered)
        self._live.failed.connect(self._refused)
        self._live.progressed.connect(self._progressed)
        self.body.setContentsMargins(0, 0, 0, 0)
        self.list = QListWidget(objectName="sources")
        self.list.setAccessibleName("Sources")
        self.list.setIconSize(PICTURE)
        self.list.setWordWrap(True)
        self.list.setSpacing(1)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.currentRowChanged.connect(lambda _: self._select())
        self.preview = PreviewPane("Looking for sources…", factory=viewer_factory)
        self.preview.can_stop = False
        split = QSplitter(Qt.Orientation.Horizontal)
        split.setChildrenCollapsible(False)
        for widget, width, stretch in (
            (column("Sources", self.list), 264, 0),
            (column("", self.preview), 520, 1),
            (column("", self._page()), 360, 0),
        ):
            split.addWidget(widget)
            widget.setMinimumWidth(min(width, 300))
            split.setStretchFactor(split.indexOf(widget), stretch)
        split.setSizes([264, 520, 360])
        self.body.addWidget(split, 1)
        self.cancel_button = self.add_button("Cancel", self.reject)
        self.add_button_ = self.add_button("&Add", self.add, "primary")
        self.add_button_.setEnabled(False)
        run_in_background(_sources, done=self._know_sources, failed=self._refused, owner=self)

    def _page(self) -> QWidget:
        inner = QWidget()
        inner.setProperty("kind", "page")
        page = QVBoxLayout(inner)
        page.setContentsMargins(0, 0, 8, 0)
        page.setSpacing(theme.GRID)
        self.title = heading("")
        self.job = muted("", "source_job")
        self.name = QLineEdit(objectName="new_dataset_name")
        self.name.setAccessibleName("Name in the project")
        self.name.textEdited.connect(self._rename)
        self.notice = Notice("new_dataset_notice")
        self._form_box = QVBoxLayout()
        page.addWidget(self.title)
        page.addWidget(self.job)
        page.addWidget(QLabel("Name"))
        page.addWidget(self.name)
        page.addWidget(self.notice)
        page.addLayout(self._form_box)
        self.seed_edit = SeedEdit(0, "new_dataset")
        self.seed_edit.changed.connect(self._set_seed)
        page.addWidget(self.seed_edit)
        page.addStretch(1)
        scroll = QScrollArea(widgetResizable=True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(inner)
        return scroll

    @property
    def current(self) -> Method | None:
        item = self.list.currentItem()
        key = item.data(Qt.ItemDataRole.UserRole) if item is not None else None
        return next((m for m in self.sources if m.key == key), None)

    def choose(self, key: str) -> None:
        """Go to a source; to the first where there is none of this key."""
        rows = {self.list.item(r).data(Qt.ItemDataRole.UserRole): r for r in range(self.list.count())}
        rows.pop(None, None)
        self.list.setCurrentRow(rows.get(key, min(rows.values(), default=-1)))

    def _know_sources(self, found: list[Method]) -> None:
        families = list(FAMILIES)
        self.sources = sorted(found, key=lambda m: families.index(m.family) if m.family in families else len(families))
        if not found:
            self.preview.show_nothing("No source is installed.", "source")
            return
        family = ""
        for method in self.sources:
            if method.family != family:
                family = method.family
                title = QListWidgetItem(FAMILIES.get(family, family.capitalize()), self.list)
                title.setFlags(Qt.ItemFlag.NoItemFlags)
                title.setFont(theme.font(0.92, bold=True))
            row = QListWidgetItem(_picture(method.key), method.title, self.list)
            row.setData(Qt.ItemDataRole.UserRole, method.key)
            row.setToolTip(method.job)
        self.choose(self._first)

    def _select(self) -> None:
        method = self.current
        if method is None:
            return
        self.title.setText(method.title)
        self.job.setText(method.job)
        self.name.setText(self._names.get(method.key, method.title))
        while (item := self._form_box.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.hide()
                old.deleteLater()
        form = ParamForm(method.params, method.presets)
        form.setObjectName("new_dataset_form")
        if method.key in self._params:
            form.set_params(self._params[method.key])
        form.changed.connect(lambda: self._params_changed(method, form))
        self.form = form
        self._form_box.addWidget(form)
        self.preview.show_nothing("")
        self._params_changed(method, form, soon=False)

    def _rename(self, text: str) -> None:
        if self.current is not None:
            self._names[self.current.key] = text
        if self._answer is not None:
            self._show(self._answer)

    def _set_seed(self, seed: int) -> None:
        self.seed = seed
        if self.current is not None:
            self._params_changed(self.current, self.form)

    def _params_changed(self, method: Method, form: ParamForm, *, soon: bool = True) -> None:
        self._answer = None
        self.add_button_.setEnabled(False)
        try:
            params = form.params()
        except UserError as error:
            self._live.cancel()
            self._refused(error)
            return
        self._params[method.key] = params
        self.notice.clear()
        self.preview.show_progress(-1.0, "Making a preview…")
        self._live.request(Request(method.key, {}, params, self.seed), soon=soon)

    def _output_names(self, answer: Answer) -> dict[str, str]:
        """What each output will be called in the project."""
        name = self.name.text().strip() or (self.current.title if self.current is not None else "")
        return {key: name if i == 0 else f"{name} ({key})" for i, key in enumerate(answer.outputs)}

    def _progressed(self, fraction: float, text: str) -> None:
        self.preview.show_progress(fraction, f"{text}…" if text else "")

    def _answered(self, answer: Answer) -> None:
        self._answer = answer
        self.preview.show_progress(None)
        self._show(answer)
        if answer.warnings:
            self.notice.say("warn", "Look at this first", "\n".join(answer.warnings))
        self.add_button_.setEnabled(bool(answer.outputs))

    def _show(self, answer: Answer) -> None:
        key = answer.request.method
        names = self._output_names(answer)
        shown = [Shown(f"{key}:{output}", names[output], artifact) for output, artifact in answer.outputs.items()]
        self.preview.show_items(shown, shown[0].artifact.summary() if shown else "", {s.id for s in shown[1:]})

    def _refused(self, error: BaseException) -> None:
        self.preview.show_progress(None)
        self.preview.set_status("")
        if self.current is not None and isinstance(error, UserError) and self.form.mark(error):
            self.notice.clear()
        else:
            self.notice.say_error(error)
        self.add_button_.setEnabled(False)

    def add(self) -> None:
        """Add what the preview shows, in one step of undo."""
        from app.project import Provenance

        method, answer = self.current, self._answer
        if method is None or answer is None or self._adding:
            return
        origin = f"{method.title}, seed {answer.request.seed}"
        asked, params = answer.request, self._params[method.key]
        how = Provenance("source", asked.method, (asked.params or params).model_dump(mode="json"), asked.seed)
        names = self._output_names(answer)
        additions = [
            Addition(names[key], artifact, origin, dataclasses.replace(how, output=key))
            for key, artifact in answer.outputs.items()
        ]
        self._adding = True
        self.setEnabled(False)
        run_in_background(
            add_together,
            self.project,
            additions,
            f"Add {additions[0].name}",
            done=self._added,
            failed=self._not_added,
            owner=self,
        )

    def _added(self, ids: list[str]) -> None:
        self._adding = False
        self.setEnabled(True)
        self.added.emit(ids)
        self.accept()

    def _not_added(self, error: BaseException) -> None:
        self._adding = False
        self.setEnabled(True)
        self.notice.say_error(error)

    def reject(self) -> None:
        if not self._adding:
            super().reject()

    def done(self, result: int) -> None:
        self._live.cancel()
        self.preview.close_viewers()
        super().done(result)


def _sources() -> list[Method]:
    from engines.core import catalog

    return sorted((m for m in catalog() if m.role == "source"), key=lambda m: (m.family, m.title))


def _picture(key: str) -> QIcon:
    """What a source makes, at a glance; where nobody drew it, a sign in its place."""
    path = asset_path(f"methods/{key}.png")
    ratio = 2.0
    picture = QPixmap(round(PICTURE.width() * ratio), round(PICTURE.height() * ratio))
    picture.setDevicePixelRatio(ratio)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
    box = QRectF(0.5, 0.5, PICTURE.width() - 1, PICTURE.height() - 1)
    outline = QPainterPath()
    outline.addRoundedRect(box, 4, 4)
    painter.setClipPath(outline)
    painter.fillPath(outline, QColor(theme.colors().panel))
    if path.is_file():
        painter.drawPixmap(box.toRect(), QPixmap(str(path)))
    else:
        sign = theme.pixmap("source", 18)
        painter.drawPixmap(round(PICTURE.width() / 2 - 9), round(PICTURE.height() / 2 - 9), sign)
    painter.setClipping(False)
    painter.setPen(QColor(theme.colors().border))
    painter.drawPath(outline)
    painter.end()
    return QIcon(picture)
