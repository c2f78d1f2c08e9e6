"""Settings of a method: one typed declaration that makes the form, the command line, the checks and the file."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from engines.core.errors import UserError

UNFIT = "The settings do not fit together."
Kind = Literal["bool", "int", "float", "choice", "text", "ints", "floats", "box"]
SEVERAL = ("ints", "floats", "box")
"""Kinds that are typed as numbers with commas between them."""


def Param(
    default: Any,
    *,
    help: str,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    unit: str = "",
    source: str = "",
    label: str = "",
    empty: str = "",
    log: bool = False,
    advanced: bool = False,
    box: bool = False,
    lines: bool = False,
) -> Any:
    """A field of :class:`Params`.

    ``source`` names where the default comes from, ``log`` asks for a logarithmic control, and
    ``advanced`` hides the field until the user asks for all of them. For a tuple the bounds hold
    for each element. ``empty`` says in a few words what holds where nothing is given. A ``box`` is a
    tuple of floats: the lowest x, y and z and then the highest, in the space of the inputs, or
    nothing at all; a view can set it. Text of several ``lines`` is written one below the other, or with semicolons
    between them.
    """
    bounds = {"ge": ge, "gt": gt, "le": le, "lt": lt}
    texts = {"unit": unit, "source": source, "label": label, "empty": empty}
    extra: dict[str, Any] = {**texts, "log": log, "advanced": advanced, "box": box, "lines": lines, **bounds}
    whole: dict[str, Any] = (
        {} if isinstance(default, (tuple, list)) else {k: b for k, b in bounds.items() if b is not None}
    )
    return Field(default, description=help, json_schema_extra=extra, **whole)


@dataclass(frozen=True)
class ParamSpec:
    """What a form, a command line or a table needs to know of one field."""

    name: str
    label: str
    kind: Kind
    default: Any
    help: str
    unit: str
    source: str
    choices: tuple[str, ...]
    minimum: float | None
    maximum: float | None
    exclusive_minimum: bool
    exclusive_maximum: bool
    optional: bool
    empty: str
    log: bool
    advanced: bool
    lines: bool = False

    @property
    def range_text(self) -> str:
        if self.choices:
            return " | ".join(self.choices)
        low = "" if self.minimum is None else f"{'>' if self.exclusive_minimum else '≥'} {self.minimum:g}"
        high = "" if self.maximum is None else f"{'<' if self.exclusive_maximum else '≤'} {self.maximum:g}"
        return ", ".join(part for part in (low, high) if part)


class Params(BaseModel):
    """Validated, immutable settings. Subclass it and declare each field with :func:`Param`."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    def model_post_init(self, context: Any, /) -> None:
        for spec in self.specs():
            if spec.kind in SEVERAL:
                for value in getattr(self, spec.name):
                    _check_bounds(spec, value)
            if spec.kind == "box":
                _check_box(spec, getattr(self, spec.name))

    @classmethod
    def specs(cls) -> tuple[ParamSpec, ...]:
        return tuple(_spec(name, info) for name, info in cls.model_fields.items())

    @classmethod
    def parse(cls, values: Mapping[str, Any], base: Self | None = None) -> Self:
        """Params from typed text or plain values over ``base`` (default: the defaults).

        Text for a tuple is split at commas and spaces. Raises :class:`UserError` that names the
        field, what was found and what is allowed.
        """
        specs = {spec.name: spec for spec in cls.specs()}
        merged = base.model_dump() if base is not None else {}
        for name, value in values.items():
            spec = specs.get(name)
            if spec is None:
                raise UserError(f"There is no setting '{name}'.", mend=f"Use one of: {', '.join(specs) or 'none'}.")
            if isinstance(value, str) and spec.kind in SEVERAL:
                value = value.replace(",", " ").split()
            if isinstance(value, str) and spec.optional and value.strip().lower() in ("", "none"):
                value = None
            merged[name] = value
        try:
            return cls(**merged)
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0]) if first["loc"] else ""
            allowed = specs[name].range_text if name in specs else ""
            raise UserError(
                f"The setting '{name}' cannot be {merged.get(name)!r}." if name else UNFIT,
                first["msg"].removeprefix("Value error, ") + ".",
                f"Allowed: {allowed}." if allowed else "",
            ) from None

    def texts(self, base: Self | None = None) -> dict[str, str]:
        """The fields that differ from ``base`` (default: the defaults), as text that :meth:`parse` reads back."""
        base = base if base is not None else type(self)()
        return {
            spec.name: _text(value)
            for spec in self.specs()
            if (value := getattr(self, spec.name)) != getattr(base, spec.name)
        }


def _text(value: Any) -> str:
    if isinstance(value, (tuple, list)):
        return ",".join(map(_text, value))
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else repr(value)


def _check_bounds(spec: ParamSpec, value: float) -> None:
    low = spec.minimum is not None and (value <= spec.minimum if spec.exclusive_minimum else value < spec.minimum)
    high = spec.maximum is not None and (value >= spec.maximum if spec.exclusive_maximum else value > spec.maximum)
    if low or high:
        raise UserError(f"The setting '{spec.name}' cannot contain {value:g}.", mend=f"Allowed: {spec.range_text}.")


def _check_box(spec: ParamSpec, value: tuple[float, ...]) -> None:
    if value and (len(value) != 6 or any(low >= high for low, high in zip(value[:3], value[3:], strict=True))):
        raise UserError(
            f"The {spec.label.lower()} {', '.join(f'{v:g}' for v in value)} is empty.",
            "It takes six numbers: the lowest x, y and z, then the highest, each larger than the lowest.",
            "Correct the box, or leave it empty.",
        )


def _spec(name: str, info: FieldInfo) -> ParamSpec:
    extra: dict[str, Any] = dict(info.json_schema_extra) if isinstance(info.json_schema_extra, dict) else {}
    annotation, optional = info.annotation, False
    if get_origin(annotation) in (Union, types.UnionType):
        inner = [a for a in get_args(annotation) if a is not type(None)]
        optional, annotation = len(inner) < len(get_args(annotation)), inner[0]
    kinds: dict[Any, Kind] = {bool: "bool", int: "int", float: "float", str: "text"}
    choices: tuple[str, ...] = ()
    if get_origin(annotation) is Literal:
        kind: Kind = "choice"
        choices = get_args(annotation)
        if not all(isinstance(choice, str) for choice in choices):
            raise TypeError(f"Params field {name}: choices must be text")
    elif get_origin(annotation) in (tuple, list):
        kind = "ints" if get_args(annotation)[0] is int else "box" if extra.get("box") else "floats"
    elif annotation in kinds:
        kind = kinds[annotation]
    else:
        raise TypeError(f"Params field {name}: {annotation!r} has no form control")
    ge, gt, le, lt = (extra.get(k) for k in ("ge", "gt", "le", "lt"))
    return ParamSpec(
        name=name,
        label=extra.get("label") or name.replace("_", " ").capitalize(),
        kind=kind,
        default=info.get_default(call_default_factory=True),
        help=info.description or "",
        unit=extra.get("unit", ""),
        source=extra.get("source", ""),
        choices=choices,
        minimum=gt if ge is None else ge,
        maximum=lt if le is None else le,
        exclusive_minimum=ge is None and gt is not None,
        exclusive_maximum=le is None and lt is not None,
        optional=optional,
        empty=extra.get("empty") or "none",
        log=bool(extra.get("log")),
        advanced=bool(extra.get("advanced")),
        lines=bool(extra.get("lines")),
    )
