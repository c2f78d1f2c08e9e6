"""How the workbench looks: colours, fonts, icons and one stylesheet, light and dark.

``apply(app)`` once at start; ``colors()`` and ``icon(name)`` everywhere else. Icons repaint themselves
in the current colours; a widget that paints on its own listens to ``signals.changed``.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from string import Template

from PySide6.QtCore import QObject, QPoint, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontDatabase, QGuiApplication, QIcon, QIconEngine, QPainter, QPalette, QPixmap
from PySide6.QtWidgets import QApplication, QWidget

from app import booleans
from engines.assets import asset_path

GRID = 8
"""Distances are multiples of this, in device-independent pixels."""

OKABE_ITO = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000"]
"""Colours for curves, distinct for colour-blind readers; take them from :func:`series_color`."""


@dataclass(frozen=True)
class Colors:
    """Hex colours by their use. Text on window, panel and field holds a contrast of 4.5 or more."""

    dark: bool
    window: str  # behind everything
    panel: str  # docks, dialogs, cards
    field: str  # inputs, lists, tables
    raised: str  # buttons, headers
    hover: str
    border: str
    strong: str  # borders of inputs and buttons
    text: str
    muted: str
    faint: str  # disabled
    accent: str
    accent_hover: str
    on_accent: str
    accent_soft: str  # selected rows, quiet highlights
    good: str
    warn: str
    bad: str
    good_soft: str
    warn_soft: str
    bad_soft: str
    plot: str  # background of curves, tables of numbers
    view_top: str  # background gradient of 3D views
    view_bottom: str
    surface: str  # a mesh without colours of its own


LIGHT = Colors(
    dark=False,
    window="#EEF0F3",
    panel="#F8F9FA",
    field="#FFFFFF",
    raised="#FFFFFF",
    hover="#E9EDF1",
    border="#DCE0E5",
    strong="#C2C9D1",
    text="#1A2027",
    muted="#56616D",
    faint="#98A2AD",
    accent="#0B6B7F",
    accent_hover="#095A6B",
    on_accent="#FFFFFF",
    accent_soft="#D9ECF0",
    good="#1F7245",
    warn="#8A5A00",
    bad="#B3261E",
    good_soft="#E0F1E7",
    warn_soft="#FBEFD5",
    bad_soft="#FBE5E3",
    plot="#FFFFFF",
    view_top="#FBFCFD",
    view_bottom="#E3E8ED",
    surface="#C9D3DA",
)
DARK = Colors(
    dark=True,
    window="#121519",
    panel="#191D22",
    field="#14171B",
    raised="#242A31",
    hover="#262C33",
    border="#2B3138",
    strong="#3D4650",
    text="#E4E8EC",
    muted="#9AA5B1",
    faint="#636E7A",
    accent="#4FB8CB",
    accent_hover="#6CC8D8",
    on_accent="#04222A",
    accent_soft="#193A43",
    good="#67C18B",
    warn="#E0B04C",
    bad="#F28B82",
    good_soft="#1B3226",
    warn_soft="#37301C",
    bad_soft="#3C2322",
    plot="#14171B",
    view_top="#262C33",
    view_bottom="#14171B",
    surface="#B9C6CF",
)


class _Signals(QObject):
    changed = Signal()


signals = _Signals()
_current: Colors = LIGHT
_mode = "system"


def colors() -> Colors:
    """The colours in use now."""
    return _current


def series_color(index: int) -> str:
    """The ``index``-th curve colour; in the dark theme black is light grey, and blue a lighter step of itself."""
    found = OKABE_ITO[index % len(OKABE_ITO)]
    return _ON_DARK.get(found, found) if _current.dark else found


_ON_DARK = {"#000000": "#D0D5DA", "#0072B2": "#4A9BDC", "#56B4E9": "#9BD3F5"}
"""The two blues stay apart from each other."""


# --- icons: one family (Phosphor), by what they mean here ---

ICONS = {
    # what flows
    "Slices": "stack", "Mesh": "polygon", "PointCloud": "dots-nine", "Volume": "cube", "GridField": "grid-four",
    "Curve": "chart-line", "Table": "table", "Image": "image", "Model": "share-network", "artifact": "file",
    "Photos": "image-square", "UnposedPhotos": "camera-slash", "GaussianCloud": "atom", "BoundGaussians": "atom",
    "GaussianFeatures": "atom",
    "SampledField": "waves", "MeshField": "triangle", "Problem": "radical", "Solution": "tree-structure",
    "Trajectory": "tree-structure",
    "contours": "fingerprint-simple", "arrows": "arrow-up-right", "streamlines": "wind", "difference": "minus",
    "CameraPath": "path", "Video": "film-strip", "DepthVideo": "film-strip",
    "SpectrumTable": "waves", "ElasticBody": "cube", "HandAvatar": "hand", "HandCapture": "hand",
    "RiggedTemplate": "hand", "PoseSequence": "person-simple-run",
    "Measure": "dots-nine", "CostMatrix": "brackets-square", "Coupling": "arrows-left-right",
    "TransportMap": "share-network", "Displacements": "arrow-up-right",
    # states of a run
    "queued": "hourglass", "running": "play-circle", "paused": "pause-circle", "finished": "check-circle",
    "cancelled": "prohibit", "failed": "warning-circle", "interrupted": "lightning-slash",
    "stale": "clock-counter-clockwise",
    # doing
    "run": "play", "pause": "pause", "resume": "play", "cancel": "x", "stop": "stop", "again": "arrow-clockwise",
    "undo": "arrow-u-up-left", "redo": "arrow-u-up-right", "reset": "arrow-counter-clockwise", "new": "file-plus",
    "open": "folder-open", "save": "floppy-disk", "save-as": "floppy-disk-back", "import": "download-simple",
    "export": "upload-simple", "copy": "copy", "remove": "trash", "rename": "pencil-simple",
    "search": "magnifying-glass",
    "add": "plus", "close": "x", "settings": "gear-six", "command": "command", "compare": "scales", "show": "eye",
    "hide": "eye-slash", "link": "link", "unlink": "link-break", "camera": "camera", "video": "film-strip",
    "measure": "ruler", "clip": "knife", "frame": "frame-corners", "axes": "arrows-out-cardinal",
    "perspective": "bounding-box",
    "orthographic": "cube", "wireframe": "polygon", "opacity": "drop-half", "layers": "stack-simple",
    "split-right": "columns", "split-below": "rows", "filter": "funnel-simple", "sort": "sort-ascending",
    "more": "dots-three", "home": "house", "up": "caret-up", "down": "caret-down", "left": "caret-left",
    "right": "caret-right", "help": "question", "external": "arrow-square-out", "detach": "arrow-square-out",
    # things
    "project": "folder", "data": "database", "runs": "list-bullets", "results": "circles-three", "method": "flask",
    "baseline": "equals", "source": "sparkle", "preparation": "scissors", "jobs": "queue", "log": "terminal-window",
    "card": "book-open", "paper": "article", "cite": "quotes", "star": "star", "starred": "star-fill",
    "info": "info", "warning": "warning", "error": "warning-circle", "ok": "check-circle", "time": "clock",
    "device": "cpu", "memory": "hard-drives", "seed": "dice-five", "note": "note-pencil",
    "light": "sun", "dark": "moon",
    "view": "app-window", "scene": "cube", "slice": "square-half", "histogram": "chart-bar", "curves": "chart-line",
    "recent": "clock", "sample": "cube", "recovery": "first-aid-kit", "crash": "bug", "shortcuts": "keyboard",
}  # fmt: skip


class _Glyph(QIconEngine):
    """Paints one glyph in the colours of the moment, so that a change of theme needs no new icons."""

    def __init__(self, name: str, role: str) -> None:
        super().__init__()
        self._name, self._role = name, role

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, state: QIcon.State) -> None:
        import qtawesome

        try:
            glyph = qtawesome.charmap(f"ph.{self._name}")
        except Exception:
            glyph = qtawesome.charmap("ph.circle-dashed")
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.TextAntialiasing)
        painter.setFont(qtawesome.font("ph", max(1, round(min(rect.width(), rect.height()) * 0.96))))
        color = _current.faint if mode == QIcon.Mode.Disabled else getattr(_current, self._role)
        painter.setPen(QColor(color))
        painter.drawText(QRectF(rect), Qt.AlignmentFlag.AlignCenter, glyph)
        painter.restore()

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        made = QPixmap(size)
        made.fill(Qt.GlobalColor.transparent)
        painter = QPainter(made)
        self.paint(painter, QRect(QPoint(0, 0), size), mode, state)
        painter.end()
        return made

    def clone(self) -> QIconEngine:
        return _Glyph(self._name, self._role)


def icon(name: str, role: str = "muted") -> QIcon:
    """An icon by its meaning (a key of ``ICONS``) or by its Phosphor name.

    ``role`` is the :class:`Colors` field to paint it in: ``"muted"``, ``"accent"``, ``"on_accent"``, ``"bad"`` …
    """
    return QIcon(_Glyph(ICONS.get(name, name), role))


def pixmap(name: str, size: int, role: str = "muted") -> QPixmap:
    """An icon as a picture of ``size`` device-independent pixels, sharp on the primary screen."""
    ratio = QGuiApplication.primaryScreen().devicePixelRatio() if QGuiApplication.primaryScreen() else 1.0
    made = icon(name, role).pixmap(QSize(round(size * ratio), round(size * ratio)), 1.0)
    made.setDevicePixelRatio(ratio)
    return made


def app_icon() -> QIcon:
    found = QIcon()
    for size in (16, 24, 32, 48, 64, 128, 256, 512):
        path = asset_path(f"icons/fieldwright-{size}.png")
        if path.exists():
            found.addFile(str(path), QSize(size, size))
    return found


# --- fonts ---


def tabular(font: QFont) -> QFont:
    """The font with figures of equal width, for numbers that change or stand in columns."""
    made = QFont(font)
    if hasattr(made, "setFeature"):
        made.setFeature(QFont.Tag("tnum"), 1)
    return made


def font(scale: float = 1.0, *, bold: bool = False, numbers: bool = False) -> QFont:
    """The application's font, larger or smaller."""
    made = QFont(QApplication.font())
    made.setPointSizeF(made.pointSizeF() * scale)
    if bold:
        made.setWeight(QFont.Weight.DemiBold)
    return tabular(made) if numbers else made


def mono(scale: float = 1.0) -> QFont:
    made = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
    made.setPointSizeF(QApplication.font().pointSizeF() * scale * 0.96)
    return made


def _system_font(app: QApplication) -> None:
    """Where no desktop says which font it uses (a bare X server), take a good one that is installed."""
    if app.font().family() not in ("Sans Serif", "Sans", "DejaVu Sans"):
        return
    installed = set(QFontDatabase.families())
    for family in ("Inter", "Cantarell", "Ubuntu", "Noto Sans", "Open Sans", "Liberation Sans"):
        if family in installed:
            chosen = QFont(family)
            chosen.setPointSizeF(9.75)
            app.setFont(chosen)
            return


# --- applying ---


def mode() -> str:
    return _mode


def apply(app: QApplication, mode: str = "system") -> None:
    """Set style, palette, font and stylesheet. ``mode`` is ``"system"``, ``"light"`` or ``"dark"``."""
    global _mode
    first = app.property("fieldwright_theme") is None
    _mode = mode if mode in ("system", "light", "dark") else "system"
    if first:
        booleans.protect()  # here, because everything with a window comes by
        app.setProperty("fieldwright_theme", True)
        app.setStyle("Fusion")
        _system_font(app)
        app.styleHints().colorSchemeChanged.connect(lambda _: _refresh(app) if _mode == "system" else None)
    _refresh(app)


def _refresh(app: QApplication) -> None:
    global _current
    system_dark = app.styleHints().colorScheme() == Qt.ColorScheme.Dark
    _current = DARK if _mode == "dark" or (_mode == "system" and system_dark) else LIGHT
    app.setPalette(_palette(_current))
    app.setStyleSheet(stylesheet(_current))
    signals.changed.emit()


def _palette(c: Colors) -> QPalette:
    made = QPalette()
    roles = QPalette.ColorRole
    for role, color in {
        roles.Window: c.panel, roles.WindowText: c.text, roles.Base: c.field, roles.AlternateBase: c.panel,
        roles.Text: c.text, roles.Button: c.raised, roles.ButtonText: c.text, roles.BrightText: c.bad,
        roles.Highlight: c.accent, roles.HighlightedText: c.on_accent, roles.Link: c.accent,
        roles.LinkVisited: c.accent, roles.ToolTipBase: c.raised, roles.ToolTipText: c.text,
        roles.PlaceholderText: c.faint, roles.Light: c.raised, roles.Midlight: c.hover, roles.Mid: c.border,
        roles.Dark: c.strong, roles.Shadow: c.strong, roles.Accent: c.accent,
    }.items():  # fmt: skip
        made.setColor(role, QColor(color))
    for role in (roles.WindowText, roles.Text, roles.ButtonText):
        made.setColor(QPalette.ColorGroup.Disabled, role, QColor(c.faint))
    made.setColor(QPalette.ColorGroup.Disabled, roles.Highlight, QColor(c.strong))
    return made


def stylesheet(c: Colors) -> str:
    """The stylesheet in these colours. Widgets opt in by the properties ``kind`` and ``tone``."""
    variant = "dark" if c.dark else "light"
    values = {f.name: getattr(c, f.name) for f in fields(c)}
    values["ui"] = asset_path(f"icons/ui/{variant}").as_posix()
    return Template(asset_path("icons/ui/style.qss").read_text(encoding="utf-8")).safe_substitute(values)


def mark(widget: QWidget, **properties: str | bool) -> None:
    """Set style properties (``kind``, ``tone``, …) and have the stylesheet applied again."""
    for key, value in properties.items():
        widget.setProperty(key, value)
    widget.style().unpolish(widget)
    widget.style().polish(widget)
