"""Settings, shortcuts, about, save changes, and what all dialogs have in common."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QMainWindow, QPushButton, QWidget

from app import theme
from app.dialogs.about import AboutDialog
from app.dialogs.crash_dialog import CrashDialog
from app.dialogs.export_dialog import ExportDialog
from app.dialogs.frame import size_text
from app.dialogs.import_dialog import ImportDialog
from app.dialogs.new_dataset import NewDatasetDialog
from app.dialogs.recovery_dialog import RecoveryDialog
from app.dialogs.report import CrashReport
from app.dialogs.save_changes import SaveChangesDialog
from app.dialogs.settings_dialog import SECTIONS, SettingsDialog
from app.dialogs.shortcuts import ShortcutsDialog
from app.settings import DEFAULTS, settings


@pytest.fixture
def preferences(app, qtbot):
    dialog = SettingsDialog()
    qtbot.addWidget(dialog)
    dialog.show()
    yield dialog
    theme.apply(app, "light")


def control(dialog, key):
    return dialog.findChild(QWidget, f"setting:{key}")


def test_settings_take_effect_at_once_and_stay(preferences, app, qtbot):
    combo = control(preferences, "theme")
    combo.setCurrentIndex(combo.findData("dark"))
    assert theme.colors().dark
    control(preferences, "threads").setValue(1)
    control(preferences, "isolated").setChecked(True)
    control(preferences, "autosave_minutes").setValue(0)
    assert control(preferences, "autosave_minutes").text() == "Never"
    preferences.ok_button.click()
    assert [settings().get(k) for k in ("theme", "threads", "isolated", "autosave_minutes")] == ["dark", 1, True, 0]
    again = SettingsDialog()
    qtbot.addWidget(again)
    assert control(again, "theme").currentData() == "dark"
    assert control(again, "isolated").isChecked()


def test_cancel_puts_back_what_was(preferences, qtbot):
    was_dark = theme.colors().dark
    heard = []
    preferences.changed.connect(heard.append)
    combo = control(preferences, "theme")
    combo.setCurrentIndex(combo.findData("light" if was_dark else "dark"))
    control(preferences, "live_preview").setChecked(False)
    qtbot.keyClick(preferences, Qt.Key.Key_Escape)
    assert theme.colors().dark == was_dark
    assert settings().get("live_preview") is True
    assert heard.count("live_preview") == 2


def test_reset_all_and_undo(preferences):
    control(preferences, "threads").setValue(1)
    preferences.reset_button.click()
    assert settings().get("threads") == DEFAULTS["threads"]
    preferences.findChild(QPushButton, "settings_notice_undo").click()
    assert settings().get("threads") == 1
    assert control(preferences, "threads").value() == 1


def test_every_setting_has_a_default_of_its_kind(preferences):
    for items in SECTIONS.values():
        for item in items:
            assert item.key in DEFAULTS
            assert control(preferences, item.key).accessibleName()
            if isinstance(control(preferences, item.key), QCheckBox):
                assert isinstance(DEFAULTS[item.key], bool)


def test_search_settings(preferences, qtbot):
    qtbot.keyClicks(preferences.search, "threads cpu")
    assert control(preferences, "threads").isVisible()
    assert not control(preferences, "theme").isVisible()
    preferences.search.clear()
    assert control(preferences, "theme").isVisible()


def test_devices_are_listed(preferences, qtbot):
    combo = control(preferences, "device")
    qtbot.waitUntil(lambda: combo.findData("cpu") >= 0, timeout=30_000)
    assert combo.currentData() == "auto"


def test_shortcuts_come_from_the_menus(app, qtbot):
    window = QMainWindow()
    qtbot.addWidget(window)
    menu = window.menuBar().addMenu("&File")
    menu.addAction("&Open…").setShortcut("Ctrl+O")
    menu.addSeparator()
    menu.addMenu("&Recent").addAction("Clear && forget")
    dialog = ShortcutsDialog(window)
    group = dialog.tree.topLevelItem(0)
    assert group.text(0) == "File"
    assert [(group.child(i).text(0), group.child(i).text(1)) for i in range(2)] == [
        ("Open", "Ctrl+O"),
        ("Clear & forget", "–"),
    ]
    dialog.search.setText("ctrl+o")
    assert not group.child(0).isHidden()
    assert group.child(1).isHidden()
    assert dialog.tree.topLevelItem(1).isHidden()


def test_about(app, qtbot):
    dialog = AboutDialog()
    qtbot.addWidget(dialog)
    qtbot.waitUntil(lambda: dialog.licences.topLevelItemCount() > 10, timeout=20_000)
    qtbot.waitUntil(lambda: "torch:" in dialog.versions.toPlainText(), timeout=20_000)
    rows = {dialog.licences.topLevelItem(i).text(0).lower() for i in range(dialog.licences.topLevelItemCount())}
    assert {"numpy", "torch", "h5py"} <= rows
    assert "@software{fieldwright" in dialog.citation.toPlainText()


@pytest.mark.parametrize(
    ("button", "choice"), [("save_button", "save"), ("discard_button", "discard"), ("cancel_button", "cancel")]
)
def test_save_changes(button, choice, app, qtbot):
    dialog = SaveChangesDialog("Study")
    qtbot.addWidget(dialog)
    dialog.open()
    getattr(dialog, button).click()
    assert dialog.choice == choice
    assert not dialog.isVisible()


DIALOGS = {
    "import": lambda project, make: ImportDialog(project, viewer_factory=make),
    "new": lambda project, make: NewDatasetDialog(project, viewer_factory=make),
    "export": lambda project, make: ExportDialog(project, []),
    "settings": lambda project, make: SettingsDialog(),
    "recovery": lambda project, make: RecoveryDialog([]),
    "crash": lambda project, make: CrashDialog(CrashReport("a", "b")),
    "save": lambda project, make: SaveChangesDialog("x"),
    "about": lambda project, make: AboutDialog(),
    "shortcuts": lambda project, make: ShortcutsDialog(make.window),
}


@pytest.mark.parametrize("make", DIALOGS.values(), ids=DIALOGS)
def test_what_all_dialogs_have_in_common(make, app, project, viewer_factory, qtbot):
    viewer_factory.window = window = QMainWindow()
    qtbot.addWidget(window)
    dialog = make(project, viewer_factory)
    qtbot.addWidget(dialog)
    dialog.show()
    buttons = [b for b in dialog.findChildren(QPushButton) if b.isVisible()]
    assert [b.isDefault() for b in buttons].count(True) == 1
    assert all(b.accessibleName() and b.objectName() for b in buttons)
    kinds = ("QComboBox", "QLineEdit", "QListWidget", "QTreeWidget", "QCheckBox", "QPlainTextEdit", "QSpinBox")
    for widget in dialog.findChildren(QWidget):
        inner = widget.objectName().startswith("qt_") or type(widget.parent()).__name__ in ("QComboBox", "QSpinBox")
        if type(widget).__name__ in kinds and not inner:
            assert widget.accessibleName(), (type(widget), widget.objectName())
            assert widget.objectName(), type(widget)
    dialog.resize(dialog.width() + 40, dialog.height() + 24)
    size = dialog.size()
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()
    again = make(project, viewer_factory)
    qtbot.addWidget(again)
    assert again.size() == size


@pytest.mark.parametrize(
    ("count", "text"),
    [(12, "12 bytes"), (999_984, "1.0 MB"), (1_300, "1.3 kB"), (1_300_000_000, "1.3 GB"), (250_000_000, "250 MB")],
)
def test_sizes(count, text):
    assert size_text(count) == text
