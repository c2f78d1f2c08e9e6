"""Calls in a process of their own: answers, exceptions, sudden death, and being cancelled."""

from __future__ import annotations

import math
import multiprocessing
import os
import time

import pytest

from engines.blocks.apart import apart, begun
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
    run = Run(control=control)  # before the clock starts: the first one imports torch
    began = time.monotonic()
    with pytest.raises(Cancelled):
        apart(time.sleep, 30.0, check=run.check)
    assert time.monotonic() - began < 2


def count(tell, most):
    for number in range(most):
        tell(number)
    return "done"


def test_what_it_tells_comes_out_in_order_and_then_the_answer():
    with begun(count, 3) as work:
        assert [work.told() for _ in range(5)] == [0, 1, 2, None, None]
        assert work.result() == "done"
    with begun(count, 3) as work:
        assert work.result() == "done"  # also when nobody listened


def test_it_is_ended_when_nobody_waits_for_it_any_more():
    with begun(_sleep) as work:
        process = work._process
        assert process.is_alive()
    assert not process.is_alive()


def _sleep(tell):
    time.sleep(60)


def test_it_ends_with_the_process_that_began_it():
    """Also when that one was killed and could do nothing about it."""
    import psutil

    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    middle = context.Process(target=_tells_of_its_child, args=(theirs,))
    middle.start()
    child = psutil.Process(ours.recv())
    middle.kill()
    middle.join()
    child.wait(20)
    assert not child.is_running()


def _tells_of_its_child(connection):
    with begun(_sleep) as work:
        connection.send(work._process.pid)
        time.sleep(60)
