"""The settings dialog: everything takes effect at once; Cancel puts back what was."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtWidgets import (
    QApplication,
    QCheckBox,
    QComboBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from app import theme
from app.background import run_in_background
from app.dialogs.crash import state_folder
from app.dialogs.frame import Dialog, heading, muted, show_in_folder
from app.dialogs.notice import Notice
from app.settings import DEFAULTS, settings


@dataclass(frozen=True)
class Item:
    """One setting: ``choices`` makes a list, ``limits`` a number, neither a box to tick."""

    key: str
    title: str
    help: str
    choices: tuple[tuple[Any, str], ...] = ()
    limits: tuple[int, int] | None = None
    suffix: str = ""
    special: str = ""
    """What the lowest number means."""


SECTIONS: dict[str, tuple[Item, ...]] = {
    "General": (
        Item(
            "theme",
            "Theme",
            "Light, dark, or as the system says.",
            (("system", "As the system"), ("light", "Light"), ("dark", "Dark")),
        ),
        Item(
            "autosave_minutes",
            "Save every",
            "Saves the project by itself, if it has a file. What runs produce is kept safe at once in any case.",
            limits=(0, 120),
            suffix=" min",
            special="Never",
        ),
        Item("confirm_quit_with_jobs", "Ask before quitting while jobs run", "A job that is stopped can be resumed."),
    ),
    "Compute": (
        Item("device", "Device", "Where new runs compute. It can be changed for each run.", (("auto", "Automatic"),)),
        Item(
            "threads",
            "Threads",
            "Threads of a run on the CPU. Automatic leaves one core to the window.",
            limits=(0, os.cpu_count() or 1),
            special="Automatic",
        ),
        Item(
            "isolated",
            "Run jobs in a process of their own",
            "A job that crashes or hangs cannot harm the window. Starting one takes a few seconds longer.",
        ),
    ),
    "Views": (
        Item("live_preview", "Show results while they take shape", "At most a tenth of a run's time goes into it."),
        Item("link_cameras", "Link the cameras of compared views", "Turning one view turns the other."),
        Item(
            "motion_quality",
            "While the camera moves",
            "Large meshes are shown coarser while you turn them, so that the view keeps up.",
            (("smooth", "Smooth motion"), ("balanced", "Balanced"), ("full", "Full detail")),
        ),
    ),
}


class SettingsDialog(Dialog):
    """``changed(key)`` after each change, also when Cancel puts it back."""

    changed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("settings_dialog", "Settings", parent, (640, 680))
        self._before = {item.key: settings().get(item.key) for items in SECTIONS.values() for item in items}
        self._controls: dict[str, tuple[QWidget, Callable[[Any], None]]] = {}
        self._rows: list[tuple[str, str, list[QWidget]]] = []
        self._headings: dict[str, QWidget] = {}
        self.search = QLineEdit(objectName="settings_search", placeholderText="Search settings")
        self.search.setAccessibleName("Search settings")
        self.search.setClearButtonEnabled(True)
        self.search.addAction(theme.icon("search"), QLineEdit.ActionPosition.LeadingPosition)
        self.search.textChanged.connect(self._filter)
        self.body.addWidget(self.search)
        page = QWidget()
        page.setProperty("kind", "page")
        self._column = QVBoxLayout(page)
        self._column.setContentsMargins(0, 0, 8, 0)
        self._column.setSpacing(theme.GRID)
        for title, items in SECTIONS.items():
            self._add_section(title, items)
        self._add_places()
        self._column.addStretch(1)
        scroll = QScrollArea(widgetResizable=True, objectName="settings_scroll")
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(page)
        self.body.addWidget(scroll, 1)
        self.notice = Notice("settings_notice")
        self.body.addWidget(self.notice)
        self.reset_button = self.add_button("Reset all", self.reset_all, left=True, icon="reset")
        self.cancel_button = self.add_button("Cancel", self.reject)
        self.ok_button = self.add_button("OK", self.accept, "primary")
        run_in_background(_device_choices, done=self._show_devices, failed=lambda _: None, owner=self)

    # building ----------------------------------------------------------------------------------------

    def _add_section(self, title: str, items: tuple[Item, ...]) -> None:
        label = heading(title)
        self._headings[title] = label
        if self._column.count():
            self._column.addSpacing(theme.GRID)
        self._column.addWidget(label)
        for item in items:
            control = self._control(item)
            control.setObjectName(f"setting:{item.key}")
            control.setAccessibleName(item.title)
            control.setAccessibleDescription(item.help)
            # Turning the wheel over the page scrolls it and changes no setting.
            control.installEventFilter(self)
            control.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            row = QWidget()
            grid = QGridLayout(row)
            grid.setContentsMargins(0, 0, 0, 4)
            grid.setHorizontalSpacing(16)
            grid.setVerticalSpacing(0)
            grid.setColumnStretch(0, 1)
            if isinstance(control, QCheckBox):
                grid.addWidget(control, 0, 0, 1, 2)
                below = muted(item.help)
                below.setContentsMargins(22, 0, 0, 0)
                grid.addWidget(below, 1, 0, 1, 2)
            else:
                name = QLabel(item.title)
                name.setBuddy(control)
                control.setFixedWidth(208)
                grid.addWidget(name, 0, 0)
                grid.addWidget(muted(item.help), 1, 0)
                grid.addWidget(control, 0, 1, 2, 1, Qt.AlignmentFlag.AlignTop)
            self._column.addWidget(row)
            self._rows.append((title, f"{title} {item.title} {item.help}".lower(), [row]))

    def _control(self, item: Item) -> QWidget:
        value = settings().get(item.key)
        if item.choices:
            combo = QComboBox()
            for data, text in item.choices:
                combo.addItem(text, data)
            if combo.findData(value) < 0:
                combo.addItem(str(value), value)
            combo.setCurrentIndex(combo.findData(value))
            combo.currentIndexChanged.connect(lambda _: self._set(item.key, combo.currentData()))
            self._controls[item.key] = combo, lambda v: combo.setCurrentIndex(max(0, combo.findData(v)))
            return combo
        if item.limits is not None:
            spin = QSpinBox(minimum=item.limits[0], maximum=item.limits[1], suffix=item.suffix)
            spin.setSpecialValueText(item.special)
            spin.setFont(theme.font(numbers=True))
            spin.lineEdit().setTextMargins(6, 0, 0, 0)  # the style sheet's padding does not reach it
            spin.setKeyboardTracking(False)
            spin.setValue(value)
            spin.valueChanged.connect(lambda v: self._set(item.key, v))
            self._controls[item.key] = spin, spin.setValue
            return spin
        box = QCheckBox(item.title)
        box.setChecked(bool(value))
        box.toggled.connect(lambda on: self._set(item.key, on))
        self._controls[item.key] = box, box.setChecked
        return box

    def _add_places(self) -> None:
        label = heading("Places")
        self._headings["Places"] = label
        self._column.addSpacing(theme.GRID)
        self._column.addWidget(label)
        places = {
            "Settings": (settings().path, "This file holds the settings."),
            "Journals": (
                state_folder() / "journals",
                "What unsaved projects hold is kept here; a saved project keeps its journal beside its file.",
            ),
            "Log": (state_folder() / "logs" / "fieldwright.log", "The last few megabytes of the log."),
        }
        for title, (path, help_text) in places.items():
            row = QFrame()
            across = QHBoxLayout(row)
            across.setContentsMargins(0, 0, 0, 4)
            across.setSpacing(16)
            words = QVBoxLayout()
            words.setSpacing(0)
            words.addWidget(QLabel(title))
            where = muted(_short_path(path), f"place:{title}")
            where.setToolTip(str(path))
            where.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            words.addWidget(muted(help_text))
            words.addWidget(where)
            across.addLayout(words, 1)
            button = QPushButton("Show in folder", objectName=f"show:{title}")
            button.setAccessibleName(f"Show {title} in folder")
            button.setAutoDefault(False)
            button.clicked.connect(lambda _=False, p=path: show_in_folder(p))
            across.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)
            self._column.addWidget(row)
            self._rows.append(("Places", f"places {title} {help_text}".lower(), [row]))

    def _show_devices(self, found: list[tuple[str, str]]) -> None:
        combo = self._controls["device"][0]
        assert isinstance(combo, QComboBox)
        wanted = settings().get("device")
        combo.blockSignals(True)
        combo.clear()
        for key, title in [("auto", "Automatic"), *found]:
            combo.addItem(title, key)
        if combo.findData(wanted) < 0:
            combo.addItem(f"{wanted} (not here now)", wanted)
        combo.setCurrentIndex(combo.findData(wanted))
        combo.blockSignals(False)

    # changing ----------------------------------------------------------------------------------------

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Wheel:
            event.ignore()
            return True
        return super().eventFilter(watched, event)

    def _set(self, key: str, value: Any) -> None:
        if settings().get(key) == value:
            return
        settings().set(key, value)
        app = QApplication.instance()
        if key == "theme" and isinstance(app, QApplication) and theme.mode() != value:
            theme.apply(app, value)
        self.changed.emit(key)

    def _put(self, values: dict[str, Any]) -> None:
        for key, value in values.items():
            self._controls[key][1](value)
            self._set(key, value)

    def reset_all(self) -> None:
        """Everything back to the defaults; undone by Cancel or by the notice's button."""
        had = {key: settings().get(key) for key in self._before}
        self._put({key: DEFAULTS[key] for key in self._before})

        def undo() -> None:
            self._put(had)
            self.notice.clear()

        self.notice.say("info", "All settings are back to their defaults.", actions=[("Undo", undo)])

    def reject(self) -> None:
        self._put(self._before)
        super().reject()

    def _filter(self, text: str) -> None:
        words = text.lower().split()
        left = set()
        for section, where, widgets in self._rows:
            fits = all(word in where for word in words)
            if fits:
                left.add(section)
            for widget in widgets:
                widget.setVisible(fits)
        for section, label in self._headings.items():
            label.setVisible(section in left)


def _device_choices() -> list[tuple[str, str]]:
    from engines.core import devices

    return [(device.key, device.title) for device in devices()]


def _short_path(path: Path) -> str:
    with contextlib.suppress(ValueError, RuntimeError):
        return "~/" + path.relative_to(Path.home()).as_posix()
    return str(path)
