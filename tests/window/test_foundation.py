"""Theme, settings and background work."""

import threading

import pytest
from PySide6.QtCore import QObject

from app import theme
from app.background import run_in_background, wait_for_all
from app.settings import DEFAULTS, Settings


def _luminance(color: str) -> float:
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: str, other: str) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colors", [theme.LIGHT, theme.DARK], ids=["light", "dark"])
def test_text_can_be_read_on_every_ground(colors):
    for ground in ("window", "panel", "field", "raised", "hover", "accent_soft"):
        for ink in ("text", "muted", "accent", "good", "warn", "bad"):
            assert contrast(getattr(colors, ink), getattr(colors, ground)) >= 4.5, (ink, ground)
    assert contrast(colors.on_accent, colors.accent) >= 4.5
    for tone in ("good", "warn", "bad"):
        assert contrast(getattr(colors, tone), getattr(colors, f"{tone}_soft")) >= 4.5


def test_every_icon_exists_and_is_painted_in_the_colours_of_the_theme(themed):
    import qtawesome

    theme.icon("run").pixmap(16, 16)
    for name in theme.ICONS.values():
        qtawesome.charmap(f"ph.{name}")
    theme.apply(themed, "light")
    light = theme.icon("run", "text").pixmap(32, 32).toImage()
    theme.apply(themed, "dark")
    dark = theme.icon("run", "text").pixmap(32, 32).toImage()
    theme.apply(themed, "light")
    assert light != dark
    assert any(light.pixelColor(x, y).alpha() for x in range(32) for y in range(32))


def test_the_stylesheet_has_no_open_names(themed):
    for colors in (theme.LIGHT, theme.DARK):
        assert "$" not in theme.stylesheet(colors).split("*/", 1)[1]


@pytest.mark.parametrize(
    "junk", [b"", b"\x00\xff\xfe junk", b"[General]\ntheme=purple\nrecent=12\nautosave_minutes={}\n", b"a" * 100_000]
)
def test_a_broken_settings_file_gives_the_defaults(tmp_path, junk):
    path = tmp_path / "s.ini"
    path.write_bytes(junk)
    settings = Settings(path)
    for key, default in DEFAULTS.items():
        assert settings.get(key) == default
    settings.set("theme", "dark")
    assert settings.get("theme") == "dark"


def test_settings_survive_a_restart_and_can_be_forgotten(tmp_path):
    path = tmp_path / "deep" / "s.ini"
    one = Settings(path)
    one.set("window/geometry", b"\x00\x01\xff")
    one.add_recent(tmp_path / "a.fieldwright")
    one.add_recent(tmp_path / "b.fieldwright")
    one.sync()
    two = Settings(path)
    assert two.get("window/geometry") == b"\x00\x01\xff"
    assert [p.rsplit("/", 1)[1] for p in two.recent()] == ["b.fieldwright", "a.fieldwright"]
    two.reset()
    assert Settings(path).recent() == []


def test_work_happens_elsewhere_and_its_answer_comes_back_here(themed, qtbot):
    here, seen = threading.current_thread(), {}

    def work(progress, cancelled):
        progress(0.5, "half")
        seen["work"] = threading.current_thread()
        assert not cancelled()
        return 42

    def done(value):
        seen["done"] = (threading.current_thread(), value)

    reports = []
    run_in_background(work, done=done, progress=lambda f, t: reports.append((f, t)))
    qtbot.waitUntil(lambda: "done" in seen)
    assert seen["work"] is not here
    assert seen["done"] == (here, 42)
    assert reports == [(0.5, "half")]


def test_errors_cancelled_tasks_and_dead_owners(themed, qtbot):
    errors, answers = [], []
    run_in_background(lambda: 1 / 0, failed=errors.append)
    qtbot.waitUntil(lambda: bool(errors))
    assert isinstance(errors[0], ZeroDivisionError)
    gate = threading.Event()
    task = run_in_background(lambda: gate.wait(5), done=answers.append)
    task.cancel()
    owner = QObject()
    run_in_background(lambda: gate.wait(5), done=answers.append, owner=owner)
    import shiboken6

    shiboken6.delete(owner)
    gate.set()
    assert wait_for_all(5)
    assert answers == []
