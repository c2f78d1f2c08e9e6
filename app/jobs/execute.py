"""Runs a method to its end, whatever that end is. The same code in our threads and in isolated processes."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from engines.core import (
    Artifact,
    Cancelled,
    Checkpoint,
    Control,
    Listener,
    Method,
    Params,
    Run,
    UserError,
    give_back_memory,
    limit_threads,
    memory_ran_out,
)


@dataclass(frozen=True)
class Outcome:
    """How a run ended. ``error`` is a UserError's text, or a traceback when ``user_error`` is None."""

    status: Literal["finished", "cancelled", "failed"]
    outputs: Mapping[str, Artifact] | None = None
    error: str = ""
    user_error: UserError | None = None


def failed(error: UserError) -> Outcome:
    return Outcome("failed", error=str(error), user_error=error)


@dataclass(frozen=True)
class Work:
    """What a runner needs of a job. ``threads`` limits torch (default: all cores but one)."""

    method: str
    module: str
    inputs: Mapping[str, Artifact]
    params: Params
    seed: int
    device: str
    checkpoint: Checkpoint | None = None
    threads: int | None = None


def execute(method: Method, work: Work, listener: Listener, control: Control) -> Outcome:
    """Never raises: a failed run is an :class:`Outcome` too."""
    outcome = _carried_out(method, work, listener, control)
    give_back_memory(work.device)  # now that no traceback holds on to the run's tensors
    return outcome


def _carried_out(method: Method, work: Work, listener: Listener, control: Control) -> Outcome:
    if control.cancelled:
        return Outcome("cancelled")
    try:
        limit_threads(work.threads)
        run = Run(
            seed=work.seed,
            device=work.device,
            control=control,
            listener=listener,
            checkpoint=work.checkpoint,
        )
        return Outcome("finished", method.run(work.inputs, work.params, run))
    except Cancelled:
        return Outcome("cancelled")
    except UserError as error:
        return failed(error)
    except BaseException as error:  # a SystemExit inside a method must not end a worker silently
        if (mendable := memory_ran_out(error, method.lighter_settings(work.params))) is not None:
            return failed(mendable)
        return Outcome("failed", error=traceback.format_exc())
