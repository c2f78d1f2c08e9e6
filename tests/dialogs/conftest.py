import pytest
from PySide6.QtWidgets import QApplication

from app import theme


@pytest.fixture(autouse=True)
def own_places(tmp_path, monkeypatch):
    """Settings, journals and logs of this test only."""
    monkeypatch.setenv("FIELDWRIGHT_CONFIG", str(tmp_path / "config.ini"))
    monkeypatch.setenv("FIELDWRIGHT_STATE", str(tmp_path / "state"))


@pytest.fixture
def app(qapp) -> QApplication:
    theme.apply(qapp, "light")
    return qapp
