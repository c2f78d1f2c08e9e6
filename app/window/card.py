"""A method's card: what it does, its paper, how to cite it, and what was measured here."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QTextBrowser, QVBoxLayout, QWidget

from app import theme
from app.background import run_in_background
from app.window.widgets import chip, label, line, name, push_button
from engines.assets import asset_path
from engines.core import Method

log = logging.getLogger("fieldwright.window")
CHECKOUT = Path(__file__).resolve().parents[2]
CLAIM_FILES = (CHECKOUT / "tests" / "claims" / "results.json", asset_path("claims.json"))


def card_text(key: str) -> str:
    """The markdown of a method's card, or ""."""
    path = asset_path(f"methods/{key}.md")
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def claims_of(key: str, files: Sequence[Path] = CLAIM_FILES) -> list[dict[str, Any]]:
    """The measured claims of a method; a file that is missing or broken says nothing."""
    for path in files:
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        rows = data.get("claims", data.get("results", data.get(key, []))) if isinstance(data, Mapping) else data
        if isinstance(rows, Mapping):
            rows = [dict(v, claim=k) for k, v in rows.items() if isinstance(v, Mapping)]
        found = [dict(r) for r in rows if isinstance(r, Mapping) and r.get("method", key) == key]
        if found:
            return found
    return []


class MethodCard(QScrollArea):
    """Rendered when it is first shown."""

    def __init__(self, method: Method) -> None:
        super().__init__()
        name(self, f"About {method.title}", "MethodCard")
        self.method = method
        self.setWidgetResizable(True)
        self._body = QWidget()
        self._body.setProperty("kind", "page")
        self._layout = QVBoxLayout(self._body)
        self._layout.setContentsMargins(16, 12, 16, 16)
        self._layout.setSpacing(8)
        self.setWidget(self._body)
        self._text = _Page()
        name(self._text, f"What {method.title} does", "CardText")
        self._layout.addWidget(self._text)
        if method.paper is not None:
            self._add_paper(method)
        self._claims = QVBoxLayout()
        self._claims.setSpacing(6)
        self._layout.addLayout(self._claims)
        self._layout.addStretch(1)
        self._asked = False
        self.load()

    def load(self) -> None:
        """Read the card's files, in the background, once."""
        if self._asked:
            return
        self._asked = True
        key = self.method.key
        run_in_background(lambda: (card_text(key), claims_of(key)), done=self._fill, owner=self)

    def _fill(self, found: tuple[str, list[dict[str, Any]]]) -> None:
        text, claims = found
        self._text.show_markdown(text or f"{self.method.job}\n\n{self.method.description}")
        if not claims:
            return
        self._claims.addWidget(line())
        self._claims.addWidget(label("Measured here", kind="heading"))
        for claim in claims:
            self._claims.addWidget(_claim_row(claim))

    def _add_paper(self, method: Method) -> None:
        paper = method.paper
        assert paper is not None
        self._layout.addWidget(line())
        self._layout.addWidget(label("Paper", kind="heading"))
        words = label(paper.title, wrap=True)
        self._layout.addWidget(words)
        where = ", ".join(part for part in (paper.venue, str(paper.year)) if part)
        self._layout.addWidget(label(f"{paper.authors}. {where}.", tone="muted", wrap=True))
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(push_button("Copy BibTeX", self.copy_bibtex, icon="cite"))
        if paper.url:
            url = paper.url
            row.addWidget(push_button("Open the paper", lambda: QDesktopServices.openUrl(QUrl(url)), icon="external"))
        row.addStretch(1)
        self._layout.addLayout(row)

    def copy_bibtex(self) -> None:
        if self.method.paper is not None:
            QGuiApplication.clipboard().setText(self.method.paper.bibtex)


class _Page(QTextBrowser):
    """A text that is as tall as it needs to be."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("kind", "page")
        self.setOpenExternalLinks(True)
        self.setVerticalScrollBarPolicy(self.verticalScrollBarPolicy().ScrollBarAlwaysOff)
        self.document().setDocumentMargin(0)
        self.document().documentLayout().documentSizeChanged.connect(self._fit)
        self._source = ""
        theme.signals.changed.connect(self._render)

    def show_markdown(self, text: str) -> None:
        self._source = text
        self._render()

    def _render(self) -> None:
        c = theme.colors()
        self.document().setDefaultStyleSheet(f"a {{ color: {c.accent}; }} h1, h2, h3 {{ color: {c.text}; }}")
        self.setMarkdown(self._source)
        _quiet_headings(self)

    def _fit(self) -> None:
        self.setFixedHeight(int(self.document().size().height()) + 4)


def _quiet_headings(browser: QTextBrowser) -> None:
    """Markdown's headings are far too large beside a form."""
    from PySide6.QtGui import QTextCursor

    block = browser.document().begin()
    base = browser.font().pointSizeF()
    while block.isValid():
        level = block.blockFormat().headingLevel()
        if level:
            cursor = QTextCursor(block)
            cursor.select(QTextCursor.SelectionType.BlockUnderCursor)
            chars = cursor.charFormat()
            chars.setFontPointSize(base * {1: 1.25, 2: 1.08}.get(level, 1.0))
            chars.setFontWeight(600)
            cursor.setCharFormat(chars)
        block = block.next()


def _claim_row(claim: Mapping[str, Any]) -> QWidget:
    row = QWidget()
    outer = QVBoxLayout(row)
    outer.setContentsMargins(0, 0, 0, 4)
    outer.setSpacing(2)
    head = QHBoxLayout()
    head.setSpacing(6)
    held = claim.get("holds", claim.get("passed", claim.get("ok")))
    words = {True: ("Holds", "good"), False: ("Does not hold", "warn")}.get(held, ("Measured", "accent"))  # type: ignore[arg-type]
    title = str(claim.get("claim", claim.get("title", claim.get("name", ""))))
    head.addWidget(label(title, wrap=True), 1)
    head.addWidget(chip(*words), 0, Qt.AlignmentFlag.AlignTop)
    outer.addLayout(head)
    skip = {"method", "claim", "title", "name", "holds", "passed", "ok", "machine", "commit", "date"}
    facts = [f"{k.replace('_', ' ')} {_figure(v)}" for k, v in claim.items() if k not in skip and _plain(v)]
    if facts:
        values = label(" · ".join(facts), tone="muted", wrap=True)
        values.setFont(theme.font(0.94, numbers=True))
        outer.addWidget(values)
    origin = ", ".join(str(claim[k]) for k in ("date", "machine", "commit") if claim.get(k))
    if origin:
        row.setToolTip(origin)
    return row


def _plain(value: Any) -> bool:
    return isinstance(value, (int, float, str)) or (
        isinstance(value, Mapping) and all(isinstance(v, (int, float, str)) for v in value.values())
    )


def _figure(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {_figure(v)}" for k, v in value.items())
    return f"{value:.4g}" if isinstance(value, float) else str(value)
