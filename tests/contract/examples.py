"""Every registered method is put through the same tests; a new one is covered the moment it is registered."""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass, field

from engines.core import Artifact, Example, Method, Previewed, Run, catalog
from tests.toys import walk

METHODS = {method.key: method for method in (*catalog(), walk)}


@dataclass
class Ear:
    """Hears a run; ``act`` is told of each event."""

    watched: bool = False
    act: object = None
    events: list = field(default_factory=list)

    def emit(self, event) -> None:
        if isinstance(event, Previewed):
            event = Previewed({name: type(a) for name, a in event.artifacts.items()})
        self.events.append(event)
        if self.act:
            self.act(self)

    def wants_preview(self) -> bool:
        return self.watched

    def of(self, kind) -> list:
        return [event for event in self.events if isinstance(event, kind)]


@dataclass(frozen=True)
class Done:
    inputs: dict[str, Artifact]
    outputs: dict[str, Artifact]
    ear: Ear
    cpu_seconds: float


SEED = 11


def carry_out(method: Method, example: Example, ear: Ear | None = None, **more) -> dict[str, Artifact]:
    params = method.params.parse(example.params)
    run = Run(seed=SEED, device="cpu", listener=ear, **more)
    return method.run(inputs_of(method.key, "smoke") if example is method.smoke else example.inputs(), params, run)


@functools.cache
def inputs_of(key: str, example: str) -> dict[str, Artifact]:
    return dict(getattr(METHODS[key], example).inputs())


@functools.cache
def smoke(key: str) -> Done:
    """The smoke example carried out once, for all the tests that look at the result."""
    method, ear = METHODS[key], Ear()
    inputs = inputs_of(key, "smoke")
    began = time.process_time()
    outputs = carry_out(method, method.smoke, ear)
    return Done(inputs, outputs, ear, time.process_time() - began)


def hashes(outputs) -> dict[str, str]:
    return {name: artifact.content_hash() for name, artifact in outputs.items()}
