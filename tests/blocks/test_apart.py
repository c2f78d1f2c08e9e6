"""Calls in a process of their own: answers, exceptions, sudden death, and being cancelled."""

from __future__ import annotations

import math
import os
import time

import pytest

from engines.blocks.apart import apart
from engines.core import Cancelled, Control, Run

pytestmark = pytest.mark.timeout(60)


def test_the_answer_comes_back():
    assert apart(math.hypot, 3.0, 4.0) == 5.0


def test_so_does_an_exception():
    with pytest.raises(ValueError, match="math domain"):
        apart(math.sqrt, -1.0)


def test_a_process_that_dies_is_told():
    with pytest.raises(RuntimeError, match="ended with code 3"):
        apart(os._exit, 3)


def test_cancelling_ends_it_at_once():
    control = Control()
    control.cancel()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        apart(time.sleep, 30.0, check=Run(control=control).check)
    assert time.monotonic() - began < 2
