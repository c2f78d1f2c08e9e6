"""A problem as one would write it down: its domain with what holds at its faces, and its equations typeset."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QScrollArea, QStackedLayout, QVBoxLayout, QWidget

from app import theme
from app.background import Task, run_in_background
from app.typeset import MathText
from app.viewers import plotting
from app.viewers.capture import ask_for_picture
from app.viewers.empty_state import EmptyState
from app.viewers.overlay import number
from app.viewers.problem_domain import DomainPicture, Face, Statement, faces_of
from app.viewers.registry import Shown
from app.viewers.toolbar import ViewBar
from engines.blocks.typesetting import latex, latex_condition, symbol
from engines.core import UserError
from engines.data import Problem

WIDE = 820
"""From here the domain stands beside the formulas, else below them."""


class ProblemView(QWidget):
    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("problem-view")
        self.setAccessibleName("Problem")
        self._items: list[Shown] = []
        self._chosen = ""
        self._task: Task | None = None
        self._drawn: Problem | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.bar = ViewBar(self)
        self.problems = self.bar.choice("problems", "Problem to show", "Problem")
        self.problems.activated.connect(lambda _: self.choose(self.problems.currentData()))
        self.bar.stretch()
        self.bar.action("screenshot", "Save a picture", "camera", self._save_picture, "S")
        column.addWidget(self.bar)
        body = QWidget(self)
        self._stack = QStackedLayout(body)
        self.empty = EmptyState(
            body, "Problem", "No problem to show", "Choose a problem in the project, or make one under New dataset."
        )
        self.scroll = QScrollArea(body)
        self.scroll.setWidgetResizable(True)
        self.scroll.setFrameShape(QFrame.Shape.NoFrame)
        self.scroll.setAccessibleName("Problem, typeset")
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self.scroll)
        column.addWidget(body, 1)
        self.page = QWidget()
        self.page.setObjectName("problem-page")
        self.graphics = self.page
        self._across = QHBoxLayout(self.page)
        self._across.setContentsMargins(28, 20, 28, 24)
        self._across.setSpacing(28)
        self.formulas = QWidget(self.page)
        self._lines = QVBoxLayout(self.formulas)
        self._lines.setContentsMargins(0, 0, 0, 0)
        self._lines.setSpacing(4)
        self.domain = DomainPicture(self.page)
        self._across.addWidget(self.formulas, 5)
        self._across.addWidget(self.domain, 4, Qt.AlignmentFlag.AlignTop)
        self.scroll.setWidget(self.page)
        self.notice = QLabel(self.formulas)
        self.notice.setWordWrap(True)
        theme.mark(self.notice, tone="bad")
        theme.signals.changed.connect(self._theme_changed)
        self._theme_changed()
        self._show()

    # ---- content ------------------------------------------------------------------------------------------
    def show_artifacts(self, items: Sequence[Shown]) -> None:
        self._items = [item for item in items if isinstance(item.artifact, Problem)]
        self.problems.clear()
        for item in self._items:
            self.problems.addItem(item.name, item.id)
        self.problems.setCurrentIndex(max(0, self.problems.findData(self._chosen)))
        self.bar.set_shown(self.problems.parentWidget(), len(self._items) > 1)
        self._show()

    def choose(self, key: str) -> None:
        self._chosen = key
        self._show()

    @property
    def shown(self) -> Shown | None:
        found = [item for item in self._items if item.id == self._chosen] or self._items
        return found[0] if found else None

    def _show(self) -> None:
        shown = self.shown
        self.bar.setVisible(shown is not None)
        self._stack.setCurrentWidget(self.scroll if shown is not None else self.empty)
        if shown is None or shown.artifact is self._drawn:
            if shown is not None:
                self._title.setText(shown.name)
            return
        problem: Problem = shown.artifact  # type: ignore[assignment]
        self._drawn = problem
        self._fill(shown.name, problem)
        self.domain.show_domain(problem, {})
        if self._task is not None:
            self._task.cancel()
        self._task = run_in_background(faces_of, problem, done=self._found, failed=self._failed, owner=self)

    def _found(self, faces: dict[Face, list[Statement]]) -> None:
        self._task = None
        if self._drawn is not None:
            self.domain.show_domain(self._drawn, faces)

    def _failed(self, error: BaseException) -> None:
        self._task = None
        text = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        self.notice.setText(text)
        self.notice.show()

    # ---- the formulas -------------------------------------------------------------------------------------
    def _fill(self, name: str, problem: Problem) -> None:
        while (item := self._lines.takeAt(0)) is not None:
            if (widget := item.widget()) is not None and widget is not self.notice:
                widget.hide()
                widget.deleteLater()
        self.notice.hide()
        self._title = QLabel(name, self.formulas)
        self._title.setFont(theme.font(1.35, bold=True))
        self._title.setWordWrap(True)
        self._lines.addWidget(self._title)
        if problem.description:
            self._lines.addWidget(self._words(problem.description))
        self._lines.addWidget(self.notice)
        self._heading("Equations" if len(problem.equations) > 1 else "Equation")
        for equation in problem.equations:
            self._formula(equation, 22.0)
        self._heading("Domain")
        for at, low, high in zip(problem.coordinates, problem.lower, problem.upper, strict=True):
            told = f"{number(float(low))} to {number(float(high))}"
            what = ", time" if at == problem.time else ""
            ends = rf"{symbol(at)} \in [{_plain(float(low))},\ {_plain(float(high))}]"
            self._formula("", 17.0, ends, f"{at} from {told}{what}")
        if problem.conditions:
            self._heading("Conditions")
            for condition in problem.conditions:
                self._condition(condition)
        if problem.definitions:
            self._heading("Where")
            for key, text in problem.definitions.items():
                self._definition(key, text)
        if problem.exact:
            self._heading("Exact solution")
            for key, text in problem.exact.items():
                self._formula(f"{key} = {text}", 17.0)
        if problem.estimated:
            self._heading("To be found from measurements")
            for key, guess in problem.estimated.items():
                self._formula("", 17.0, rf"{symbol(key)} \approx {_plain(guess)}", f"{key}, first guess {guess:g}")
        self._lines.addStretch(1)

    def _heading(self, text: str) -> None:
        made = QLabel(text, self.formulas)
        theme.mark(made, kind="heading", tone="muted")
        made.setContentsMargins(0, 12, 0, 0)
        self._lines.addWidget(made)

    def _words(self, text: str) -> QLabel:
        made = QLabel(text, self.formulas)
        made.setTextFormat(Qt.TextFormat.PlainText)
        made.setWordWrap(True)
        theme.mark(made, tone="muted")
        return made

    def _formula(self, text: str, size: float, ready: str = "", plain: str = "") -> None:
        """A typed formula, or LaTeX that is ``ready`` with what it says in ``plain`` words."""
        try:
            ready = ready or latex(text)
        except UserError:
            ready = ""
        self._lines.addWidget(MathText(self.formulas, ready, plain or text, size))

    def _condition(self, text: str) -> None:
        try:
            holds, where = latex_condition(text)
        except UserError:
            self._formula(text, 17.0)
            return
        if not holds:
            self._lines.addWidget(self._words(where))
            return
        apart = r"\quad "
        place = where.strip("$") if where.startswith("$") else rf"\mathrm{{{where}}}".replace(" ", r"\ ")
        joint = r"\mathrm{at}\ " if where.startswith("$") else ""
        self._formula("", 17.0, f"{holds}{apart}{joint}{place}", text)

    def _definition(self, key: str, text: str) -> None:
        if text.strip() == "manufactured":
            told = f"{html.escape(key)}: made so that the exact solution fulfils the equation"
            self._lines.addWidget(self._words(html.unescape(told)))
        else:
            self._formula(f"{key} = {text}", 17.0)

    # ---- look ---------------------------------------------------------------------------------------------
    def resizeEvent(self, event) -> None:
        super().resizeEvent(event)
        wide = self.width() >= WIDE
        direction = QHBoxLayout.Direction.LeftToRight if wide else QHBoxLayout.Direction.TopToBottom
        if self._across.direction() != direction:
            self._across.setDirection(direction)

    def _theme_changed(self) -> None:
        plot = theme.colors().plot
        self.page.setStyleSheet(f"#problem-page {{ background: {plot}; }}")

    def _save_picture(self) -> None:
        ask_for_picture(self)

    def picture(self, width: int, height: int) -> QImage:
        return plotting.grab(self.page, width, height)

    def screenshot(self, width: int, height: int) -> np.ndarray:
        return plotting.pixels(self.picture(width, height))

    def state(self) -> dict[str, Any]:
        return {"problem": self._chosen}

    def restore(self, state: dict[str, Any]) -> None:
        state = state if isinstance(state, dict) else {}
        self._chosen = state["problem"] if isinstance(state.get("problem"), str) else ""
        self._show()

    def closeEvent(self, event) -> None:
        if self._task is not None:
            self._task.cancel()
        super().closeEvent(event)


def _plain(value: float) -> str:
    return f"{value:.6g}"
