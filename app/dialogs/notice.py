"""A quiet box inside a dialog that says what happened and offers what can be done about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from app import theme
from engines.core import UserError

Tone = Literal["good", "warn", "bad", "info"]
ICONS = {"good": "ok", "warn": "warning", "bad": "error", "info": "info"}
ROLES = {"good": "good", "warn": "warn", "bad": "bad", "info": "accent"}

WIDE = 36
"""Letters on several buttons beyond which they stand one below the other."""


class Notice(QFrame):
    """Hidden until it has something to say."""

    def __init__(self, name: str = "notice", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self.tone: Tone = "info"
        self._icon = QLabel()
        self._icon.setFixedWidth(20)
        self._icon.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._title = QLabel(objectName=f"{name}_title", wordWrap=True)
        self._title.setProperty("kind", "heading")
        self._text = QLabel(objectName=f"{name}_text", wordWrap=True)
        for label in (self._title, self._text):
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._bar = QWidget()
        self._actions = QHBoxLayout(self._bar)
        self._actions.setContentsMargins(0, 4, 0, 0)
        self._actions.setSpacing(theme.GRID)
        words = QVBoxLayout()
        words.setSpacing(4)
        words.addWidget(self._title)
        words.addWidget(self._text)
        words.addWidget(self._bar)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 10, 12, 10)
        row.setSpacing(theme.GRID)
        row.addWidget(self._icon)
        row.addLayout(words, 1)
        theme.signals.changed.connect(self._repaint_icon)
        self.hide()

    @property
    def message(self) -> str:
        """All that it says, for tests and screen readers."""
        return "\n".join(part for part in (self._title.text(), self._text.text()) if part)

    def say(
        self, tone: Tone, title: str, text: str = "", actions: Sequence[tuple[str, Callable[[], object]]] = ()
    ) -> None:
        self.tone = tone
        theme.mark(self, kind="box", tone="" if tone == "info" else tone)
        self._title.setText(title)
        self._text.setText(text)
        self._text.setVisible(bool(text))
        self.setAccessibleName(title)
        self.setAccessibleDescription(text)
        while item := self._actions.takeAt(0):
            if (old := item.widget()) is not None:
                old.hide()
                old.deleteLater()
        wide = len(actions) > 1 and sum(len(label) for label, _ in actions) > WIDE
        self._actions.setDirection(QHBoxLayout.Direction.TopToBottom if wide else QHBoxLayout.Direction.LeftToRight)
        for label, act in actions:
            button = QPushButton(label, objectName=f"{self.objectName()}_{label.lower().replace(' ', '_')}")
            button.setAccessibleName(label)
            button.setAutoDefault(False)
            button.clicked.connect(lambda _=False, act=act: act())
            self._actions.addWidget(button, 0, Qt.AlignmentFlag.AlignLeft)
        self._actions.addStretch(1)
        self._bar.setVisible(bool(actions))
        self._repaint_icon()
        self.show()

    def say_error(self, error: BaseException, actions: Sequence[tuple[str, Callable[[], object]]] = ()) -> None:
        """What was found, why that is a problem, and how to mend it."""
        if isinstance(error, UserError):
            self.say("bad", error.what, "\n".join(part for part in (error.why, error.mend) if part), actions)
        elif isinstance(error, MemoryError):
            self.say("bad", "There is not enough memory.", "Close other programs or choose a smaller size.", actions)
        else:
            text = f"{type(error).__name__}: {error}. The log has the details. Please report it."
            self.say("bad", "Something unexpected went wrong.", text, actions)

    def clear(self) -> None:
        self._title.clear()
        self._text.clear()
        self.hide()

    def _repaint_icon(self) -> None:
        self._icon.setPixmap(theme.pixmap(ICONS[self.tone], 18, ROLES[self.tone]))
