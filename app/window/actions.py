"""The menus as a table: every action with its icon, keys and what it does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMainWindow, QMenu

from app import theme


@dataclass(frozen=True)
class ActionSpec:
    """``act`` names a method of the window or of its handlers; ``when`` one that says whether it can be done now."""

    key: str
    text: str
    act: str
    icon: str = ""
    keys: str = ""
    when: str = ""
    checkable: bool = False


SEPARATOR = ActionSpec("", "", "")
MENUS: dict[str, tuple[ActionSpec, ...]] = {
    "&File": (
        ActionSpec("new", "&New project", "new_project", "new", "Ctrl+N"),
        ActionSpec("open", "&Open…", "open_dialog", "open", "Ctrl+O"),
        ActionSpec("recent", "Open &recent", "", "recent"),
        ActionSpec("home", "&Home page", "show_home", "home", "Ctrl+Shift+H"),
        SEPARATOR,
        ActionSpec("save", "&Save", "save", "save", "Ctrl+S", "can_save"),
        ActionSpec("save-as", "Save &as…", "save_as", "save-as", "Ctrl+Shift+S"),
        SEPARATOR,
        ActionSpec("import", "&Import data…", "import_data", "import", "Ctrl+I", "can_edit"),
        ActionSpec("dataset", "New &dataset…", "new_dataset", "source", "Ctrl+Shift+N", "can_make"),
        ActionSpec("export", "&Export…", "export_selected", "export", "Ctrl+E", "has_artifacts"),
        SEPARATOR,
        ActionSpec("close", "&Close project", "close_project", "close", "Ctrl+Shift+W"),
        ActionSpec("quit", "&Quit", "close", "", "Ctrl+Q"),
    ),
    "&Edit": (
        ActionSpec("undo", "&Undo", "undo", "undo", "Ctrl+Z", "can_undo"),
        ActionSpec("redo", "&Redo", "redo", "redo", "Ctrl+Shift+Z", "can_redo"),
        SEPARATOR,
        ActionSpec("rename", "Re&name", "rename", "rename", "F2", "has_artifacts"),
        ActionSpec("star", "Add or remove the &star", "star", "star", "Ctrl+B", "has_artifacts"),
        ActionSpec("remove", "&Remove", "remove", "remove", "", "has_selection"),
        SEPARATOR,
        ActionSpec("filter", "&Filter the project", "focus_filter", "search", "Ctrl+F"),
        ActionSpec("settings", "Se&ttings…", "show_settings", "settings", "Ctrl+,"),
    ),
    "&View": (
        ActionSpec("palette", "&Command palette…", "show_palette", "command", "Ctrl+K"),
        SEPARATOR,
        ActionSpec("show", "&Show the selection", "show_selected", "show", "Ctrl+Shift+V", "has_selection"),
        ActionSpec("add-layer", "&Add the selection to the view", "add_to_view", "layers", "Ctrl+L", "has_artifacts"),
        ActionSpec("split-right", "Split &right", "split_right", "split-right", "Ctrl+\\", "has_view"),
        ActionSpec("split-below", "Split &below", "split_below", "split-below", "Ctrl+Shift+\\", "has_view"),
        ActionSpec("detach", "&Move the view to its own window", "detach_view", "detach", "", "has_view"),
        ActionSpec("link", "&Link cameras and times", "link_cameras", "link", "Ctrl+Shift+L", "", True),
        ActionSpec("picture", "Save a &picture or turntable…", "save_picture", "camera", "Ctrl+Shift+E", "has_view"),
        ActionSpec("next-view", "&Next view", "next_view", "", "Ctrl+Tab", "has_view"),
        ActionSpec("close-view", "C&lose the view", "close_view", "close", "Ctrl+W", "has_view"),
        SEPARATOR,
        ActionSpec("panels", "&Panels", ""),
        ActionSpec("theme", "&Theme", "", "light"),
        ActionSpec("reset-layout", "Reset la&yout", "reset_layout", "reset"),
        ActionSpec("full-screen", "&Full screen", "full_screen", "", "F11", "", True),
    ),
    "&Run": (
        ActionSpec("run", "&Run", "run_current", "run", "Ctrl+Return", "has_method"),
        ActionSpec("methods", "&Methods", "focus_methods", "method", "Ctrl+M"),
        SEPARATOR,
        ActionSpec("pause", "&Pause or resume the job", "pause_job", "pause", "Ctrl+P", "has_job"),
        ActionSpec("cancel", "&Cancel the job", "cancel_job", "cancel", "Ctrl+.", "has_job"),
        ActionSpec("clear-jobs", "&Take ended jobs off the list", "clear_jobs", "remove"),
        SEPARATOR,
        ActionSpec("provenance", "Pro&venance", "inspect_selected", "info", "Ctrl+Shift+I", "has_runs"),
        ActionSpec("again", "Run &again with these settings", "run_again", "again", "", "has_runs"),
        ActionSpec("resume", "Re&sume the run", "resume_selected", "resume", "", "can_resume"),
        ActionSpec("compare", "C&ompare runs", "compare_selected", "compare", "Ctrl+D", "can_compare"),
    ),
    "&Help": (
        ActionSpec("shortcuts", "&Keyboard shortcuts", "show_shortcuts", "shortcuts", "F1"),
        ActionSpec("cite", "&Cite", "show_cite", "cite"),
        ActionSpec("samples", "&Samples", "show_home", "sample"),
        ActionSpec("about", "&About Fieldwright", "show_about", "info"),
    ),
}


class Actions(QObject):
    """The window's actions by key, in its menus."""

    def __init__(self, window: QMainWindow, *others: QObject) -> None:
        super().__init__(window)
        self._window = window
        self._handlers = (window, *others)
        self._by_key: dict[str, QAction] = {}
        self._specs: dict[str, ActionSpec] = {}
        self.menus: dict[str, QMenu] = {}
        for title, specs in MENUS.items():
            menu = window.menuBar().addMenu(title)
            menu.setObjectName(title.replace("&", ""))
            menu.setAccessibleName(title.replace("&", ""))
            menu.aboutToShow.connect(self.refresh)
            for spec in specs:
                if spec is SEPARATOR:
                    menu.addSeparator()
                elif not spec.act:
                    inner = menu.addMenu(spec.text)
                    inner.setObjectName(spec.key)
                    inner.setAccessibleName(spec.text.replace("&", ""))
                    if spec.icon:
                        inner.setIcon(theme.icon(spec.icon))
                    self.menus[spec.key] = inner
                else:
                    menu.addAction(self._make(spec))
        self.refresh()

    def _make(self, spec: ActionSpec) -> QAction:
        action = QAction(spec.text, self._window)
        action.setObjectName(spec.key)
        if spec.icon:
            action.setIcon(theme.icon(spec.icon))
        if spec.keys:
            keys = [QKeySequence(spec.keys)]
            if spec.key == "redo":
                keys.append(QKeySequence("Ctrl+Y"))
            if spec.key == "run":
                keys.append(QKeySequence("Ctrl+Enter"))
            action.setShortcuts(keys)
        action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
        action.setCheckable(spec.checkable)
        slot: Callable[..., object] = self._find(spec.act)
        action.triggered.connect(slot if spec.checkable else lambda _=False: slot())
        self._by_key[spec.key] = action
        self._specs[spec.key] = spec
        return action

    def _find(self, method: str) -> Callable[..., object]:
        found: Callable[..., object] = next(getattr(h, method) for h in self._handlers if hasattr(h, method))
        return found

    def __getitem__(self, key: str) -> QAction:
        return self._by_key[key]

    def refresh(self) -> None:
        """Enable what can be done now."""
        for key, spec in self._specs.items():
            if spec.when:
                self._by_key[key].setEnabled(bool(self._find(spec.when)()))

    def listed(self) -> Iterator[tuple[str, QAction]]:
        """Every action with the menu it is in."""
        for top in self._window.menuBar().actions():
            menu = top.menu()
            if isinstance(menu, QMenu):
                yield from _leaves(menu, top.text().replace("&", ""))


def _leaves(menu: QMenu, group: str) -> Iterator[tuple[str, QAction]]:
    for action in menu.actions():
        inner = action.menu()
        if isinstance(inner, QMenu):
            yield from _leaves(inner, inner.title().replace("&", ""))
        elif not action.isSeparator() and action.text():
            yield group, action
