"""State and settings in a temporary place, one torch thread, and a test that leaks is a test that fails.

Nothing here imports Qt or torch; what a test has imported is looked after.
"""

from __future__ import annotations

import gc
import itertools
import sys
import threading
import time

import hypothesis
import pytest

# The same examples each time, and no clock: a busy machine is no mistake.
hypothesis.settings.register_profile("same", deadline=None, derandomize=True)
hypothesis.settings.load_profile("same")


def pytest_configure(config):
    config.addinivalue_line("markers", "leaks: may leave threads or widgets behind")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Where several processes share the tests, a module stays in one of them: what it made for all its tests is there.

    Of the contract tests those of one method stay together instead; they share its runs.
    """
    for item in items:
        method = item.callspec.params.get("method") if hasattr(item, "callspec") else None
        group = f"method {method.key}" if hasattr(method, "key") else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="module", autouse=True)
def _settled():
    """What modules hold lives to the end: neither the collector nor the search for leaks need walk it each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def _places(tmp_path_factory):
    return tmp_path_factory.mktemp("places"), itertools.count()


@pytest.fixture(autouse=True)
def _own_places(_places, monkeypatch):
    """No test may read or write the state and settings of the person who runs it, or of another test."""
    folder, counter = _places
    number = next(counter)
    monkeypatch.setenv("FIELDWRIGHT_STATE", str(folder / f"{number}" / "state"))
    monkeypatch.setenv("FIELDWRIGHT_CONFIG", str(folder / f"{number}" / "fieldwright.ini"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def _calm():
    """Same numbers on every machine: one torch thread, fixed global seeds (methods use their run's only)."""
    import random

    import numpy as np

    random.seed(0)
    np.random.seed(0)
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)
        torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _no_leaks(request):
    """Fails a test that leaves a thread, a running QThread or timer, or a visible or parentless widget behind.

    Fixtures of the test are torn down before this looks. Mark ``@pytest.mark.leaks`` where it is meant.
    """
    before = set(threading.enumerate())
    widgets = _top_levels()
    yield
    if request.node.get_closest_marker("leaks"):
        return
    leaked = [f"thread {t.name}" for t in _lingering(before)]
    if "qapp" in request.fixturenames:
        leaked += _leaked_qt(widgets)
    if leaked:
        pytest.fail(f"left behind: {', '.join(leaked)}")


LASTING = ("pydevd", "QThread", "Dummy", "tqdm", "ThreadPoolExecutor")


def _lingering(before: set[threading.Thread]) -> list[threading.Thread]:
    until = time.monotonic() + 2.0
    while True:
        left = [
            t
            for t in threading.enumerate()
            if t not in before and t.is_alive() and not t.name.startswith(LASTING) and t is not threading.main_thread()
        ]
        if not left or time.monotonic() > until:
            return left
        time.sleep(0.01)


def _top_levels() -> set[int]:
    widgets = sys.modules.get("PySide6.QtWidgets")
    if widgets is None or widgets.QApplication.instance() is None:
        return set()
    return {id(w) for w in widgets.QApplication.topLevelWidgets()}


def _leaked_qt(before: set[int]) -> list[str]:
    widgets = sys.modules.get("PySide6.QtWidgets")
    if widgets is None or widgets.QApplication.instance() is None:
        return []
    from PySide6.QtCore import QCoreApplication, QEvent

    app = widgets.QApplication.instance()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    app.processEvents()

    def left() -> list[str]:
        return [
            f"{type(w).__name__} '{w.objectName()}'"
            for w in app.topLevelWidgets()
            if id(w) not in before and w.isVisible()
        ]

    if left():
        gc.collect()
        app.processEvents()
    return left() + _leaked_threads_and_timers()


def _leaked_threads_and_timers() -> list[str]:
    from PySide6.QtCore import QThread, QTimer

    kinds = {*_kinds(QThread), *_kinds(QTimer)}
    found = []
    for thing in [one for one in gc.get_objects() if type(one) in kinds]:  # isinstance would wake lazy proxies
        try:
            if isinstance(thing, QThread) and thing.isRunning() and thing is not QThread.currentThread():
                found.append(f"QThread {thing.objectName()}")
            elif isinstance(thing, QTimer) and thing.isActive() and thing.parent() is None:
                found.append(f"QTimer every {thing.interval()} ms")
        except RuntimeError:  # deleted on the C++ side
            continue
    return found


def _kinds(base: type) -> list[type]:
    return [base, *itertools.chain.from_iterable(map(_kinds, type.__subclasses__(base)))]


@pytest.fixture
def light(qapp):
    """The application in the light theme. A style sheet that is set again is worked out again, so it is not."""
    from app import theme

    if theme.colors() is not theme.LIGHT or not qapp.styleSheet():
        theme.apply(qapp, "light")
    return qapp


@pytest.fixture(scope="session")
def qapp_args():
    return ["fieldwright-tests"]


@pytest.fixture(scope="session")
def qapp_cls():
    from PySide6.QtWidgets import QApplication

    QApplication.setOrganizationName("fieldwright-tests")
    return QApplication
