"""The whole contract between methods and application."""

from engines.core.artifact import ArraySpec, Artifact, array, arrays
from engines.core.catalog import FAMILIES, Broken, Catalog, catalog
from engines.core.checkpoint import Checkpoint
from engines.core.devices import (
    Device,
    devices,
    give_back_memory,
    limit_threads,
    memory_ran_out,
    resolve,
    versions,
)
from engines.core.errors import Cancelled, TextError, UserError
from engines.core.events import ELAPSED, Checkpointed, Event, Listener, Logged, Noted, Previewed, Progressed, Silent
from engines.core.method import Example, InputSpec, Method, OutputSpec, Paper, method
from engines.core.params import Param, Params, ParamSpec
from engines.core.run import Control, Run

__all__ = [
    "ELAPSED",
    "FAMILIES",
    "ArraySpec",
    "Artifact",
    "Broken",
    "Cancelled",
    "Catalog",
    "Checkpoint",
    "Checkpointed",
    "Control",
    "Device",
    "Event",
    "Example",
    "InputSpec",
    "Listener",
    "Logged",
    "Method",
    "Noted",
    "OutputSpec",
    "Paper",
    "Param",
    "ParamSpec",
    "Params",
    "Previewed",
    "Progressed",
    "Run",
    "Silent",
    "TextError",
    "UserError",
    "array",
    "arrays",
    "catalog",
    "devices",
    "give_back_memory",
    "limit_threads",
    "memory_ran_out",
    "method",
    "resolve",
    "versions",
]
