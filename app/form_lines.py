"""An editor for text of several lines, which shows at which character something is wrong."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QKeySequence, QResizeEvent, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QPlainTextEdit, QTextEdit

from app import theme

FEWEST, MOST = 1, 10


class LinesEdit(QPlainTextEdit):
    """As high as what is in it; the Tab key goes on to the next field. ``finished`` when the focus leaves it."""

    finished = Signal()

    def __init__(self, placeholder: str = "") -> None:
        super().__init__()
        self.setTabChangesFocus(True)
        self.setUndoRedoEnabled(False)  # undo is the form's, which knows all fields
        self.setPlaceholderText(placeholder)
        self.setFont(theme.mono())
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.document().setDocumentMargin(5)
        self.document().documentLayout().documentSizeChanged.connect(self._fit)
        self._marked: tuple[int, int] | None = None
        self._fit()

    def set_text(self, text: str) -> None:
        """Replace the text and keep the place of the cursor as well as can be."""
        if text == self.toPlainText():
            return
        place = self.textCursor().position()
        self.setPlainText(text)
        cursor = self.textCursor()
        cursor.setPosition(min(place, len(text)))
        self.setTextCursor(cursor)

    def mark(self, start: int, length: int = 1) -> None:
        """Underline characters as wrong."""
        self._marked = (start, max(1, length))
        self._draw_mark()

    def unmark(self) -> None:
        if self._marked is not None:
            self._marked = None
            self._draw_mark()

    @property
    def marked(self) -> tuple[int, int] | None:
        """Where the mark begins and how long it is."""
        return self._marked

    def _draw_mark(self) -> None:
        if self._marked is None:
            self.setExtraSelections([])
            return
        start, length = self._marked
        whole = len(self.toPlainText())
        first = max(0, min(start, whole - 1))  # what is missing at the end is marked at the last character
        cursor = self.textCursor()
        cursor.setPosition(first)
        cursor.setPosition(min(first + length, whole), QTextCursor.MoveMode.KeepAnchor)
        look = QTextCharFormat()
        bad = QColor(theme.colors().bad)
        look.setUnderlineStyle(QTextCharFormat.UnderlineStyle.SpellCheckUnderline)
        look.setUnderlineColor(bad)
        bad.setAlpha(48)
        look.setBackground(bad)
        selection = QTextEdit.ExtraSelection()
        selection.cursor, selection.format = cursor, look  # type: ignore[attr-defined]
        self.setExtraSelections([selection])

    def _fit(self, *_: object) -> None:
        lines = sum(max(1, block.layout().lineCount()) for block in self._blocks())
        shown = min(max(lines, FEWEST), MOST)
        margin = self.document().documentMargin() + self.frameWidth()
        self.setFixedHeight(round(self.fontMetrics().lineSpacing() * shown + 2 * margin + 1))

    def _blocks(self) -> list:
        block, found = self.document().firstBlock(), []
        while block.isValid():
            found.append(block)
            block = block.next()
        return found

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def sizeHint(self) -> QSize:
        return QSize(160, self.height())

    def event(self, event: QEvent) -> bool:
        keys = QKeySequence.StandardKey
        override = event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent)
        if override and (event.matches(keys.Undo) or event.matches(keys.Redo)):
            event.ignore()
            return False
        return super().event(event)

    def focusOutEvent(self, event: object) -> None:
        super().focusOutEvent(event)  # type: ignore[arg-type]
        self.finished.emit()


__all__ = ["LinesEdit"]
