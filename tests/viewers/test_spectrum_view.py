import json

import numpy as np
import pytest
from PySide6.QtCore import QPointF

from app.viewers.registry import Shown
from engines.core import UserError
from engines.data import SpectrumTable


def spectrum(steps=5, axes=("x", "t"), source=True) -> SpectrumTable:
    """Four components of which all but one fade along x, and none along t."""
    fade = 10.0 ** (-np.arange(steps))[:, None] ** np.array([0.0, 1, 1, 1])
    weights = np.stack([np.minimum(1, fade * [1, 0.9, 0.8, 0.7]), np.ones((steps, 4))], 1)[:, : len(axes)]
    frequencies = np.broadcast_to([15.9, 3, -6, 9.0], weights.shape)
    grid = np.tile(np.linspace(0, 30, 61), (len(axes), 1))
    return SpectrumTable(
        steps=np.arange(steps) * 10, weights=weights, frequencies=frequencies, length_scales=np.ones(weights.shape),
        source_frequencies=grid if source else None,
        source_amplitudes=np.exp(-((grid - 15.9) ** 2)) if source else None,
        axes=axes, unit="m",
    )  # fmt: skip


def test_stems_stand_at_the_frequencies_and_what_is_left_is_in_the_table(show):
    view = show("spectrum", 800, 400)
    view.show_artifacts([Shown("s", "Spectrum", spectrum())])
    assert view.index == 4  # the last step
    assert view.table.table.columns["Frequency"].tolist() == [15.9]
    assert view.stems.getData()[0].tolist() == [15.9, 15.9]
    assert sorted(set(view.faint_stems.getData()[0])) == [3, 6, 9]  # a frequency has no sign
    assert view.at.text() == "step 40 of 40"
    view.timeline.setValue(0)
    assert view.table.table.rows == 4
    assert view.screenshot(400, 300).std() > 3
    view._choose_axis(1)
    assert view.table.table.rows == 4
    assert "frequency 15.9" in view.describe(0)


def test_a_component_under_the_cursor_is_told(show):
    view = show("spectrum", 800, 400)
    view.show_artifacts([Shown("s", "Spectrum", spectrum())])
    frequencies, weights = view.components
    place = view.plot.vb.mapViewToScene(QPointF(frequencies[0], view._heights(weights)[0]))
    view._hover(place)
    assert "15.9" in view.readout.text()
    view._hover(place + QPointF(200, 0))
    assert view.readout.text() == ""


def test_the_last_step_is_followed_while_more_come_and_another_is_kept(show):
    view = show("spectrum", 800, 400)
    view.show_artifacts([Shown("s", "Spectrum", spectrum(3))])
    view.show_artifacts([Shown("s", "Spectrum", spectrum(5))])
    assert view.index == 4
    view.show_index(1)
    view.show_artifacts([Shown("s", "Spectrum", spectrum(6))])
    assert view.index == 1
    view.toggle()
    assert view.clock.playing
    view._ticked(5.9)
    assert view.index == 5
    view.toggle()
    assert not view.clock.playing


def test_weights_keep_their_scale_on_a_plain_axis_and_the_source_can_be_hidden(show):
    view = show("spectrum", 800, 400)
    view.show_artifacts([Shown("s", "Spectrum", spectrum())])
    view.log.setChecked(False)
    axis = view.plot.getAxis("left")
    assert axis.autoSIPrefixScale == 1.0
    assert view.plot.vb.viewRange()[1] == pytest.approx([0, 1.05])
    assert view.source.isVisible()
    view.with_source.setChecked(False)
    assert not view.source.isVisible()


def test_state_and_spectra_of_one_step_without_a_source(show):
    view = show("spectrum", 800, 400)
    view.show_artifacts([Shown("s", "Spectrum", spectrum())])
    view._choose_axis(1)
    view.show_index(2)
    view.log.setChecked(False)
    state = json.loads(json.dumps(view.state()))
    other = show("spectrum", 400, 300)
    other.restore(state)
    other.show_artifacts([Shown("s", "Spectrum", spectrum())])
    assert other.state() == state
    assert not other.table.isVisible()  # no room
    other.restore({"axis": "junk", "step": -3, "y_log": 7})
    other.show_artifacts([Shown("one", "One", spectrum(1, ("x",), source=False))])
    assert not other.strip.isVisible()
    assert not other.source.isVisible()
    other.show_artifacts([])
    assert other.spectrum is None


def test_what_is_no_spectrum_is_refused():
    made = spectrum()
    with pytest.raises(UserError, match="do not rise"):
        made.replace(steps=made.steps[::-1])
    with pytest.raises(UserError, match="negative weight"):
        made.replace(weights=-made.weights)
    with pytest.raises(UserError, match="axes"):
        made.replace(axes=("x",))
    with pytest.raises(UserError, match="both or none"):
        made.replace(source_amplitudes=None)
