"""Every action of a window with its keys, read off its menus, so that the list is never out of date."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QHeaderView, QLineEdit, QMainWindow, QMenu, QTreeWidget, QTreeWidgetItem, QWidget

from app import theme
from app.dialogs.frame import Dialog

VIEW_KEYS: Mapping[str, Sequence[tuple[str, str]]] = {
    "In the project": (
        ("Show what is selected", "Return"),
        ("Rename", "F2"),
        ("Remove", "Del"),
        ("Back from a method to all methods", "Esc"),
    ),
    "In the 3D view": (
        ("Orbit", "Left drag, Left, Right, Up, Down"),
        ("Roll", "Ctrl+Left drag"),
        ("Pan", "Middle drag, Shift+Left drag"),
        ("Zoom at the pointer", "Wheel, Right drag"),
        ("Zoom", "+, =, -"),
        ("Focus on a point", "Double click"),
        ("Show everything", "F"),
        ("Front, back, right, left, top, bottom", "1, 2, 3, 4, 5, 6"),
        ("Orthographic or perspective", "P"),
        ("Measure a distance", "M"),
        ("Clipping plane", "C"),
        ("Layers", "L"),
        ("Show only the chosen layer, or all", "O"),
        ("Reset the view", "R"),
        ("Save a picture or a turntable", "S"),
    ),
    "In the splat view": (
        ("Orbit, roll, pan, zoom, focus", "As in the 3D view"),
        ("Show everything", "F"),
        ("Front, back, right, left, top, bottom", "1, 2, 3, 4, 5, 6"),
        ("Orthographic or perspective", "P"),
        ("Next way to show the cloud", "V"),
        ("Next background", "B"),
        ("Reset the view", "R"),
        ("Save a picture or a turntable", "S"),
        ("Turn", "Left, Right, Up, Down"),
        ("Zoom", "+, =, -"),
        ("Camera path", "T"),
        ("Add this view to the camera path", "K"),
        ("Play or stop the camera path", "Space"),
        ("In the camera path: key view before, after", "PgUp, PgDown"),
        ("In the camera path: remove a key view, put this view in its place", "Del, U"),
        ("In the camera path: key view one earlier, later", "Alt+Left, Alt+Right"),
        ("Edit the mesh under its Gaussians", "E"),
        ("Choose all of it, nothing, the rest", "A, N, I"),
        ("Handles that move, turn, scale", "M, T, K"),
        ("Apply the edit", "Return, Enter"),
        ("Take the edit back, choose nothing, leave", "Esc"),
    ),
    "In the hand view": (
        ("Orbit, roll, pan, zoom, focus", "As in the 3D view"),
        ("Light the hand", "Hold L and drag"),
        ("Show everything", "F"),
        ("Palm, back, right, left, fingertips, wrist", "1, 2, 3, 4, 5, 6"),
        ("Next way to show the hand", "V"),
        ("As the other hand", "M"),
        ("Photo, shaded, neural and normals side by side", "C"),
        ("Captured pose before, after", "PgUp, PgDown"),
        ("Camera of the capture before, after", "Ctrl+PgUp, Ctrl+PgDown"),
        ("Joints", "J"),
        ("Reset the pose", "Backspace"),
        ("Motion", "T"),
        ("Add this pose to the motion", "K"),
        ("Play or stop the motion", "Space"),
        ("In the motion: key pose before, after", "Ctrl+Left, Ctrl+Right"),
        ("In the motion: remove a key pose, put this pose in its place", "Del, U"),
        ("In the motion: key pose earlier, later", "Alt+Left, Alt+Right"),
        ("Turn", "Left, Right, Up, Down"),
        ("Zoom", "+, =, -"),
        ("Reset the view", "R"),
        ("Save a picture, a turntable or a movie", "S"),
    ),
    "In videos": (
        ("Play or stop", "Space"),
        ("Picture before, after", "PgUp, PgDown"),
        ("Fit to the view", "F"),
        ("Save a picture", "S"),
    ),
    "In the photos view": (
        ("Show all cameras", "F"),
        ("Previous or next photo", "PgUp, PgDown"),
        ("Fit the photo to its place", "Z"),
        ("Go to this camera in the splat view", "G"),
        ("Front, back, right, left, top, bottom", "1, 2, 3, 4, 5, 6"),
        ("Orthographic or perspective", "P"),
        ("Turn", "Left, Right, Up, Down"),
        ("Zoom", "+, =, -"),
        ("Save a picture", "S"),
    ),
    "In the slice view": (
        ("Across X, Y, Z", "X, Y, Z"),
        ("Along the planes of the input slices", "I"),
        ("Next or previous slice", "Up, Down, PgUp, PgDown, Wheel"),
        ("Zoom", "Ctrl+Wheel"),
        ("Show everything", "F"),
        ("Level line", "V"),
        ("Input contours", "N"),
        ("Probability instead of logit", "B"),
        ("Smooth between the nodes", "M"),
        ("Save a picture", "S"),
    ),
    "In the transport view": (
        ("Show everything", "F"),
        ("Links", "K"),
        ("Images as points", "M"),
        ("Mark where arrows cross", "X"),
        ("Play or stop", "Space"),
        ("A little earlier", ","),
        ("A little later", "."),
        ("In space: orbit, pan, zoom, layers", "As in the 3D view"),
        ("Save a picture or a movie", "S"),
    ),
    "In plans and potentials": (
        ("Show everything", "F"),
        ("Logarithmic colours", "G"),
        ("Sort by barycentre", "O"),
        ("Potentials as surfaces", "H"),
        ("Save a picture", "S"),
    ),
    "In curves and histograms": (
        ("Show everything", "F"),
        ("All in one plot, or each in its own", "T"),
        ("Logarithmic x or y axis", "H, G"),
        ("Against seconds instead of steps", "I"),
        ("Save as CSV", "E"),
        ("Save a picture", "S"),
    ),
    "In images and tables": (
        ("Fit to the view, actual size", "F, 1"),
        ("Save a picture", "S"),
        ("Copy", "Ctrl+C"),
        ("Save as CSV", "E"),
    ),
}
"""Keys and gestures that work while a part of the window has the keyboard; a test holds the keys against the views."""


def menu_actions(window: QMainWindow) -> dict[str, list[QAction]]:
    """The actions under each top-level menu, sub-menus included."""
    found: dict[str, list[QAction]] = {}
    for top in window.menuBar().actions():
        menu = top.menu()
        if isinstance(menu, QMenu):
            found[plain_text(top.text())] = list(_leaves(menu))
    return found


def _leaves(menu: QMenu) -> Iterator[QAction]:
    for action in menu.actions():
        inner = action.menu()
        if isinstance(inner, QMenu):
            yield from _leaves(inner)
        elif not action.isSeparator() and action.text():
            yield action


def plain_text(text: str) -> str:
    """A menu's text without its mnemonic."""
    return text.replace("&&", "\0").replace("&", "").replace("\0", "&").rstrip("…").strip()


class ShortcutsDialog(Dialog):
    def __init__(
        self,
        window: QMainWindow,
        parent: QWidget | None = None,
        extra: Mapping[str, Sequence[tuple[str, str]]] = VIEW_KEYS,
    ) -> None:
        super().__init__("shortcuts_dialog", "Keyboard shortcuts", parent or window, (560, 640))
        self.search = QLineEdit(objectName="shortcuts_search", placeholderText="Search actions and keys")
        self.search.setAccessibleName("Search shortcuts")
        self.search.setClearButtonEnabled(True)
        self.search.addAction(theme.icon("search"), QLineEdit.ActionPosition.LeadingPosition)
        self.body.addWidget(self.search)
        self.tree = QTreeWidget(objectName="shortcuts_list", columnCount=2, rootIsDecorated=False)
        self.tree.setAccessibleName("Shortcuts")
        self.tree.setHeaderLabels(["Action", "Keys"])
        self.tree.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.tree.header().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.tree.header().setStretchLastSection(False)
        self.body.addWidget(self.tree, 1)
        rows = {title: [(plain_text(a.text()), _keys(a)) for a in acts] for title, acts in menu_actions(window).items()}
        for title, entries in {**rows, **extra}.items():
            if not entries:
                continue
            group = QTreeWidgetItem(self.tree, [title])
            group.setFirstColumnSpanned(True)
            group.setFont(0, theme.font(bold=True))
            for name, keys in entries:
                QTreeWidgetItem(group, [name, keys])
        self.tree.expandAll()
        self.search.textChanged.connect(self._filter)
        self.add_button("Close", self.accept, "primary")
        self.search.setFocus()

    def _filter(self, text: str) -> None:
        words = text.lower().split()
        for i in range(self.tree.topLevelItemCount()):
            group = self.tree.topLevelItem(i)
            any_left = False
            for k in range(group.childCount()):
                item = group.child(k)
                where = f"{group.text(0)} {item.text(0)} {item.text(1)}".lower()
                fits = all(word in where for word in words)
                item.setHidden(not fits)
                any_left |= fits
            group.setHidden(not any_left)


def _keys(action: QAction) -> str:
    keys = [key.toString(QKeySequence.SequenceFormat.NativeText) for key in action.shortcuts()]
    return ", ".join(dict.fromkeys(key for key in keys if key)) or "–"
