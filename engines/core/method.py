"""A published technique, declared by the signature of the function that does it."""

from __future__ import annotations

import dataclasses
import importlib.util
import inspect
import re
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from engines.core.artifact import Artifact
from engines.core.devices import SMALLER, free_memory
from engines.core.errors import UserError
from engines.core.params import Params
from engines.core.run import Run

Role = Literal["method", "baseline", "source", "preparation"]


@dataclass(frozen=True)
class Paper:
    title: str
    authors: str
    year: int
    venue: str = ""
    url: str = ""

    @property
    def bibtex(self) -> str:
        first = re.sub(r"\W", "", self.authors.split(" and ")[0].split(",")[0].split()[-1]).lower()
        word = re.sub(r"\W", "", self.title.split()[0]).lower()
        title = f"{{{self.title}}}"  # in braces of its own, so that its capitals stay
        rows = {"title": title, "author": self.authors, "year": self.year, "booktitle": self.venue, "url": self.url}
        body = ",\n".join(f"  {key} = {{{value}}}" for key, value in rows.items() if value)
        return f"@inproceedings{{{first}{self.year}{word},\n{body}\n}}"


@dataclass(frozen=True)
class Example:
    """Inputs and settings to try a method with; ``inputs`` is called when they are needed."""

    inputs: Callable[[], Mapping[str, Artifact]] = dict
    params: Mapping[str, Any] = field(default_factory=dict)
    title: str = ""


@dataclass(frozen=True)
class InputSpec:
    name: str
    type: type[Artifact]
    optional: bool
    help: str = ""


@dataclass(frozen=True)
class OutputSpec:
    """``many``: a tuple of artifacts, one for each label (or such)."""

    name: str
    type: type[Artifact]
    optional: bool = False
    many: bool = False


@dataclass(frozen=True)
class Method:
    """What a method takes, its params, what it gives, and the function that does it."""

    key: str
    title: str
    family: str
    job: str
    function: Callable[..., Any]
    params: type[Params]
    inputs: tuple[InputSpec, ...]
    outputs: tuple[OutputSpec, ...]
    paper: Paper | None = None
    role: Role = "method"
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    sample: Example = field(default_factory=Example)
    smoke: Example = field(default_factory=Example)
    degenerate: tuple[Example, ...] = ()
    memory: Callable[[Mapping[str, Artifact], Any], int] | None = None
    lighter: tuple[str, ...] = ()
    needs: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()

    @property
    def module(self) -> str:
        return self.function.__module__

    @property
    def description(self) -> str:
        """The docstring of the method's function."""
        return inspect.getdoc(self.function) or ""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    def preset(self, name: str | None) -> Params:
        """The params of a preset; ``None`` and ``"standard"`` are the defaults."""
        if name is None or name == "standard":
            return self.params()
        if name not in self.presets:
            raise UserError(
                f"{self.title} has no preset '{name}'.", mend=f"Use one of: {', '.join(['standard', *self.presets])}."
            )
        return self.params.parse(self.presets[name])

    def accepts(self, artifact: Artifact | type[Artifact]) -> str | None:
        """The name of the first input that can take the artifact, required ones first."""
        kind = artifact if isinstance(artifact, type) else type(artifact)
        for spec in sorted(self.inputs, key=lambda s: s.optional):
            if issubclass(kind, spec.type):
                return spec.name
        return None

    def lacks(self) -> UserError | None:
        """What to say when a package that it needs is not installed."""
        for package, extra in self.needs.items():
            if importlib.util.find_spec(package) is None:
                return UserError(
                    f"{self.title} needs the package {package}.",
                    "It is not installed here.",
                    f"Install it: pip install 'fieldwright[{extra}]'.",
                )
        return None

    def check(self, inputs: Mapping[str, Artifact], params: Params, device: str = "cpu") -> None:
        """Refuse what cannot work on ``device`` before anything starts. Raises :class:`UserError`."""
        if (lacking := self.lacks()) is not None:
            raise lacking
        specs = {spec.name: spec for spec in self.inputs}
        for name, value in inputs.items():
            if name not in specs:
                raise UserError(
                    f"{self.title} has no input '{name}'.", mend=f"Its inputs: {', '.join(specs) or 'none'}."
                )
            if not isinstance(value, specs[name].type):
                raise UserError(
                    f"The input '{name}' of {self.title} is a {type(value).title}.",
                    f"It takes a {specs[name].type.title}.",
                    "Choose another dataset or convert this one first.",
                )
        for spec in self.inputs:
            if not spec.optional and spec.name not in inputs:
                raise UserError(
                    f"{self.title} needs an input '{spec.name}' ({spec.type.title}).",
                    mend="Select or import one first.",
                )
        if not isinstance(params, self.params):
            raise TypeError(f"{self.key} takes {self.params.__name__}, not {type(params).__name__}")
        if self.memory is not None:
            need, free = self.memory(inputs, params), free_memory(device)
            if need > 0.9 * free:
                raise UserError(
                    f"{self.title} would need about {need / 1e9:.1f} GB with these settings.",
                    f"Only {free / 1e9:.1f} GB are free{' on the GPU' if device != 'cpu' else ''}.",
                    self.lighter_settings(params) or SMALLER,
                )

    def lighter_settings(self, params: Params) -> str:
        """What to change in ``params`` when memory ran out, for people; empty where the method does not say."""
        labels = {spec.name: spec.label for spec in self.params.specs()}
        found = [f"{labels[name]} (now {getattr(params, name):,})" for name in self.lighter]
        *others, last = found or [""]
        return f"Lower {', '.join(others)}{' or ' if others else ''}{last}." if last else ""

    def run(self, inputs: Mapping[str, Artifact], params: Params, run: Run) -> dict[str, Artifact]:
        """Do the work. Outputs by name; several of a ``many`` output are numbered ``name/1``, ``name/2``, …"""
        self.check(inputs, params, str(run.device))
        given = {spec.name: inputs.get(spec.name) for spec in self.inputs}
        result = self.function(**given, params=params, run=run)
        single = len(self.outputs) == 1 and isinstance(result, Artifact)
        found: dict[str, Artifact] = {}
        for spec in self.outputs:
            value = result if single else getattr(result, spec.name)
            items = value if spec.many else [] if value is None else [value]
            found |= {f"{spec.name}/{i}" if len(items) > 1 else spec.name: item for i, item in enumerate(items, 1)}
        return found


def method(
    *,
    key: str,
    title: str,
    family: str,
    job: str,
    paper: Paper | None = None,
    role: Role | None = None,
    presets: Mapping[str, Mapping[str, Any]] | None = None,
    sample: Example | None = None,
    smoke: Example | None = None,
    degenerate: tuple[Example, ...] = (),
    memory: Callable[[Mapping[str, Artifact], Any], int] | None = None,
    lighter: tuple[str, ...] = (),
    needs: Mapping[str, str] | None = None,
    tags: tuple[str, ...] = (),
) -> Callable[[Callable[..., Any]], Method]:
    """Declare a method.

    The decorated function takes artifacts (``X``, or ``X | None`` when optional; wrap in
    ``Annotated[X, "help"]`` to explain), then ``params`` (a :class:`Params`) and ``run``, and returns an
    artifact or a dataclass of artifacts (``X``, ``X | None`` or ``tuple[X, ...]``). ``key`` is what the command
    line says; ``sample`` ends within 60 s and ``smoke`` within about 2 s on two cores; every ``degenerate``
    example must be refused with a UserError. ``memory`` estimates bytes from inputs and params;
    ``lighter`` names the params that decide over it, the one that does most first.
    ``needs`` names packages that are not always installed, each with the extra that brings it.
    Raises TypeError when the signature does not fit.
    """

    def declare(function: Callable[..., Any]) -> Method:
        hints = get_type_hints(function, include_extras=True)
        returned = hints.pop("return", None)
        params = hints.pop("params", None)
        if not (isinstance(params, type) and issubclass(params, Params)) or hints.pop("run", None) is not Run:
            raise TypeError(f"{key}: the function must take params: <Params subclass> and run: Run")
        inputs = tuple(_input(name, hint) for name, hint in hints.items())
        declared = Method(
            key=key,
            title=title,
            family=family,
            job=job,
            function=function,
            params=params,
            inputs=inputs,
            outputs=_outputs(key, returned),
            paper=paper,
            role=role or ("source" if not inputs else "method"),
            presets=dict(presets or {}),
            sample=sample or Example(),
            smoke=smoke or sample or Example(),
            degenerate=degenerate,
            memory=memory,
            lighter=lighter,
            needs=dict(needs or {}),
            tags=tags,
        )
        names = {spec.name for spec in declared.params.specs()}  # refuses a field that has no form control
        if missing := set(lighter) - names:
            raise TypeError(f"{key}: there is no param {', '.join(sorted(missing))} to make it lighter with")
        for preset in declared.presets:
            declared.preset(preset)
        return declared

    return declare


def _unwrap(hint: Any) -> tuple[Any, bool, str]:
    """(type, optional, help) of ``Annotated[X | None, "help"]`` in any nesting."""
    text, optional = "", False
    while get_origin(hint) in (Annotated, Union, types.UnionType):
        if get_origin(hint) is Annotated:
            text = next((m for m in get_args(hint)[1:] if isinstance(m, str)), text)
            hint = get_args(hint)[0]
        else:
            options = [a for a in get_args(hint) if a is not type(None)]
            optional = optional or len(options) < len(get_args(hint))
            hint = options[0]
    return hint, optional, text


def _input(name: str, hint: Any) -> InputSpec:
    kind, optional, text = _unwrap(hint)
    if not (isinstance(kind, type) and issubclass(kind, Artifact)):
        raise TypeError(f"input {name}: {kind!r} is not an artifact type")
    return InputSpec(name, kind, optional, text)


def _outputs(key: str, returned: Any) -> tuple[OutputSpec, ...]:
    kind, _, _ = _unwrap(returned)
    if isinstance(kind, type) and issubclass(kind, Artifact):
        return (OutputSpec(kind.__name__.lower(), kind),)
    if not dataclasses.is_dataclass(kind):
        raise TypeError(f"{key}: the function must return an artifact or a dataclass of artifacts")
    found = []
    hints = get_type_hints(kind, include_extras=True)
    for f in dataclasses.fields(kind):
        inner, optional, _ = _unwrap(hints[f.name])
        many = get_origin(inner) is tuple
        inner = get_args(inner)[0] if many else inner
        if not (isinstance(inner, type) and issubclass(inner, Artifact)):
            raise TypeError(f"{key}: output {f.name} is not an artifact type")
        found.append(OutputSpec(f.name, inner, optional, many))
    return tuple(found)
