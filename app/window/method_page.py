"""One method: its card, its inputs and settings, and the button that runs it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QIntValidator, QKeySequence
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QScrollArea,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from app import theme
from app.background import Task, run_in_background
from app.forms import ParamForm
from app.project import Entry
from app.settings import settings
from app.window.card import MethodCard
from app.window.gallery import ROLE_WORDS
from app.window.inputs import InputPicker, proposed
from app.window.requests import Current, Estimate, Request
from app.window.widgets import ElidedLabel, Glyph, chip, label, line, name, push_button, tool_button
from app.window.wording import size_text, with_article
from app.window.workbench import Workbench
from engines.core import Method, UserError

ESTIMATE_AFTER_MS = 300
MAX_SEED = 2**31 - 1


class MethodPage(QWidget):
    back_wanted = Signal()
    run_started = Signal(str)  # job id

    def __init__(self, method: Method, bench: Workbench) -> None:
        super().__init__()
        name(self, f"Method {method.title}", "MethodPage")
        self.method, self.bench = method, bench
        self._task: Task | None = None
        self._starting = False
        self._estimate = Estimate()
        self._estimate_timer = QTimer(self, singleShot=True, interval=ESTIMATE_AFTER_MS)
        self._estimate_timer.timeout.connect(self._ask_estimate)
        self.inputs = InputPicker(method, bench)
        self.form = ParamForm(method.params, method.presets)
        self.form.offer_picking()
        self._build()
        self.inputs.changed.connect(self._edited)
        self.form.changed.connect(self._edited)
        bench.project_changed.connect(self._project_changed)  # a lambda would still be called when the page is gone
        self.inputs.set_ids(proposed(method, list(bench.project.entries.values()), ()))

    def _project_changed(self, kind: str, _: object) -> None:
        if kind == "artifacts":
            self.inputs.refresh()

    # --- building ---

    def _build(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._header())
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        name(self.tabs, "Method tabs")
        self.tabs.addTab(self._setup(), "Set up")
        self.card = MethodCard(self.method)
        self.tabs.addTab(self.card, "About")
        layout.addWidget(self.tabs, 1)
        layout.addWidget(line())
        layout.addWidget(self._footer())

    def _header(self) -> QWidget:
        head = QWidget()
        row = QHBoxLayout(head)
        row.setContentsMargins(6, 8, 12, 4)
        row.setSpacing(6)
        row.addWidget(tool_button("left", "All methods (Esc)", self.back_wanted.emit))
        title = ElidedLabel(self.method.title)
        title.setFont(theme.font(1.15, bold=True))
        name(title, self.method.title, "method title")
        row.addWidget(title, 1)
        words = ROLE_WORDS[self.method.role]
        if words:
            row.addWidget(chip(words))
        outer = QWidget()
        column = QVBoxLayout(outer)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(head)
        job = label(self.method.job, tone="muted", wrap=True)
        job.setContentsMargins(16, 0, 16, 8)
        column.addWidget(job)
        return outer

    def _setup(self) -> QWidget:
        body = QWidget()
        body.setProperty("kind", "page")
        column = QVBoxLayout(body)
        column.setContentsMargins(16, 12, 8, 16)
        column.setSpacing(10)
        if self.method.inputs:
            column.addWidget(label("Inputs", kind="heading"))
            column.addWidget(self.inputs)
            column.addSpacing(6)
        column.addWidget(label("Settings", kind="heading"))
        column.addWidget(self.form)
        column.addSpacing(6)
        column.addWidget(label("Run", kind="heading"))
        column.addWidget(self._run_settings())
        column.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        name(area, "Set up", "SetupArea")
        area.setWidget(body)
        return area

    def _run_settings(self) -> QWidget:
        box = QWidget()
        grid = QGridLayout(box)
        grid.setContentsMargins(0, 0, 26, 0)
        grid.setHorizontalSpacing(4)
        grid.setVerticalSpacing(6)
        grid.setColumnStretch(0, 1)
        grid.setColumnStretch(1, 1)
        self.seed = QLineEdit("0")
        self.seed.setValidator(QIntValidator(0, MAX_SEED))
        self.seed.setFont(theme.font(numbers=True))
        self.seed.setToolTip("The same seed, inputs and settings give the same result.")
        name(self.seed, "Seed")
        dice = self.seed.addAction(theme.icon("seed"), QLineEdit.ActionPosition.TrailingPosition)
        dice.setToolTip("Another seed")
        dice.triggered.connect(lambda: self.seed.setText(str(self._seed() + 1)))
        self.device = QComboBox()
        self.device.addItem("Automatic", "auto")
        name(self.device, "Device")
        self.device.wheelEvent = lambda event: event.ignore()  # type: ignore[method-assign]
        run_in_background(_devices, done=self._show_devices, failed=lambda _: None, owner=self)
        self.isolated = QCheckBox("Run in an isolated process")
        self.isolated.setToolTip(
            "Starts slower and copies its data, but can be stopped at once and cannot harm the window."
        )
        self.isolated.setChecked(settings().get("isolated"))
        name(self.isolated, "Run in an isolated process")
        for row, (text, widget) in enumerate((("Seed", self.seed), ("Device", self.device))):
            words = QLabel(text)
            words.setBuddy(widget)
            grid.addWidget(words, row, 0)
            grid.addWidget(widget, row, 1)
        grid.addWidget(self.isolated, 2, 0, 1, 2)
        self.seed.textChanged.connect(self._edited)
        return box

    def _footer(self) -> QWidget:
        foot = QWidget()
        column = QVBoxLayout(foot)
        column.setContentsMargins(16, 10, 16, 12)
        column.setSpacing(8)
        self._problem_box = QFrame()
        self._problem_box.setProperty("kind", "box")
        self._problem_box.setProperty("tone", "warn")
        row = QHBoxLayout(self._problem_box)
        row.setContentsMargins(10, 8, 10, 8)
        row.addWidget(Glyph("warning", 16, "warn"), 0, Qt.AlignmentFlag.AlignTop)
        self._problem = label(wrap=True)
        name(self._problem, "Why it cannot run")
        row.addWidget(self._problem, 1)
        self._problem_box.hide()
        column.addWidget(self._problem_box)
        bottom = QHBoxLayout()
        bottom.setSpacing(8)
        self._memory = ElidedLabel(tone="muted")
        self._memory.setFont(theme.font(0.94, numbers=True))
        name(self._memory, "Estimate")
        bottom.addWidget(self._memory, 1)
        verb = {"source": "Generate", "preparation": "Apply"}.get(self.method.role, "Run")
        self.run_button = push_button(verb, self.run, icon="run", kind="primary", object_name="Run")
        self.run_button.setAccessibleName("Run")
        self.run_button.setMinimumWidth(112)
        self.run_button.setIconSize(QSize(14, 14))
        self.run_button.setToolTip(f"Queue this run ({QKeySequence('Ctrl+Return').toString()})")
        bottom.addWidget(self.run_button)
        column.addLayout(bottom)
        return foot

    def _show_devices(self, found: list[tuple[str, str]]) -> None:
        for key, title in found:
            self.device.addItem(title, key)
        wanted = self.device.findData(settings().get("device"))
        self.device.setCurrentIndex(max(0, wanted))

    # --- what is set ---

    def _seed(self) -> int:
        text = self.seed.text()
        return int(text) if text.isdigit() else 0

    def propose(self, selected: Sequence[str], *, opening: bool = False) -> None:
        """Choose inputs for what is selected in the project; what was chosen by hand and still fits stays.

        Optional inputs follow the selection only when the page is opened for it, not as one looks about.
        """
        entries = list(self.bench.project.entries.values())
        datasets = [i for i in selected if (e := self.bench.entry(i)) is not None and self._is_data(e)]
        wanted, have = proposed(self.method, entries, datasets), self.inputs.ids()
        needed = [s.name for s in self.method.inputs if not s.optional]
        if datasets and not opening and set(datasets) <= {have[k] for k in needed if k in have}:
            return  # it is looked at, and has its place
        fresh = {k: wanted[k] for k in needed if k in wanted and (wanted[k] in datasets or k not in have)}
        more = {k: i for k, i in wanted.items() if opening and k not in needed and i in datasets}
        if any(have.get(k) != v for k, v in fresh.items()):
            # Another dataset: what belongs to the old one, such as its reference, goes with it.
            kept = {k: have[k] for k in needed if k in have and have[k] not in fresh.values()}
            self.inputs.set_ids({**wanted, **kept, **fresh})
        elif more:
            self.inputs.set_ids({**have, **more})

    def _is_data(self, entry: Entry) -> bool:
        """What was measured by a preparation is data too, though its table is listed among the results."""
        run = self.bench.project.runs.get(entry.run or "")
        by = self.bench.method(run.method) if run is not None else None
        return entry.role == "dataset" or (by is not None and by.role == "preparation")

    def request(self) -> Request:
        """What Run would start. Raises :class:`UserError` while a setting is invalid."""
        return Request(
            method=self.method,
            input_ids=self.inputs.ids(),
            params=self.form.params(),
            seed=self._seed(),
            device=self.device.currentData() or "auto",
            isolated=self.isolated.isChecked(),
            preset=self.form.preset(),
        )

    def set_request(self, request: Request) -> None:
        """Show the settings of an earlier run."""
        self.inputs.refresh()  # it may speak of what came to the project just now
        self.inputs.set_ids(request.input_ids)
        self.form.set_params(request.params)
        self.seed.setText(str(request.seed))
        self.device.setCurrentIndex(max(0, self.device.findData(request.device)))
        self.tabs.setCurrentIndex(0)

    def activate(self) -> None:
        self._edited()

    def _edited(self) -> None:
        self._show_footer()
        self._estimate_timer.start()
        if self.isVisible() and self.form.valid:
            params = self.form.params().model_dump(mode="json")
            self.bench.set_current(Current(self.method.key, params, self.inputs.ids(), self._seed()))

    # --- may it run? ---

    def _missing(self) -> UserError | None:
        chosen = self.inputs.ids()
        for spec in self.method.inputs:
            if not spec.optional and spec.name not in chosen:
                return UserError(
                    f"{self.method.title} needs {with_article(spec.type.title)}.",
                    mend="Import data, open a sample or generate some (Ctrl+Shift+N).",
                )
        return None

    def _ask_estimate(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None
        if not self.form.valid or self._missing() is not None:
            return
        self._task = self.bench.estimate(self.request(), self._show_estimate, owner=self)

    def _show_estimate(self, estimate: Estimate) -> None:
        self._task = None
        self._estimate = estimate
        self._show_footer()

    def _show_footer(self) -> None:
        missing = self._missing()
        problem = missing or self._estimate.problem
        if not self.form.valid:
            self._say("", "Mend the settings marked above.")
        elif problem is not None:
            self._say(" ".join(p for p in (problem.what, problem.why, problem.mend) if p), "")
        else:
            memory = self._estimate.memory
            self._say("", f"About {size_text(memory)} of memory" if memory else "")
        self.run_button.setEnabled(self.form.valid and problem is None and not self._starting)

    def _say(self, problem: str, quiet: str) -> None:
        self._problem.setText(problem)
        self._problem_box.setVisible(bool(problem))
        self._memory.setText(quiet)

    # --- running ---

    def run(self) -> None:
        """Queue a run with what is set."""
        if not self.run_button.isEnabled():
            return
        self._starting = True
        self._show_footer()

        def done(job) -> None:  # type: ignore[no-untyped-def]
            self._starting = False
            self._show_footer()
            self.run_started.emit(job.id)

        def failed(error: BaseException) -> None:
            self._starting = False
            if isinstance(error, UserError):
                self._estimate = Estimate(problem=error)
                self._show_footer()
            else:
                self._show_footer()
                self.bench.fail(error)

        self.bench.start(self.request(), done, failed)


def _devices() -> list[tuple[str, str]]:
    from engines.core import devices

    return [(d.key, d.title if d.memory is None else f"{d.title}, {size_text(d.memory)}") for d in devices()]
