"""The hand view, empty and with the open hand in it."""

import pytest

from app.viewers.registry import Shown
from tests.viewers.hands.made import open_hand, settled


@pytest.fixture
def view(show):
    made = show("hand", 420, 300)
    made.activateWindow()
    return made


@pytest.fixture
def posed(view):
    """With the open hand in it."""
    view.show_artifacts([Shown("hand", "Open hand", open_hand())])
    settled(view)
    view.canvas.setFocus()
    return view
