"""The base of everything that flows between files, methods, projects and viewers.

An artifact is a frozen dataclass of numpy arrays, scalars, strings, dictionaries of arrays
and other artifacts. Array fields are declared with :func:`array` or :func:`arrays`; from the
declaration follow its validation, its HDF5 layout, its content hash, its summary and its size.
"""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np

from engines.core.errors import UserError


@dataclass(frozen=True)
class ArraySpec:
    """Shape (dimension names or numbers, such as ``"V 3"``), dtype, unit and meaning of an array field.

    ``dtype`` is a numpy dtype name, or ``"number"`` / ``"any"`` for arrays kept as they come.
    A dimension name stands for the same length in every array of one artifact.
    """

    shape: str
    dtype: str
    help: str = ""
    unit: str = ""
    finite: bool = True
    optional: bool = False
    mapping: bool = False
    later: bool = False
    """Came to the type when projects held it already: while None it does not count for the hash, so theirs stay."""


def array(
    shape: str,
    dtype: str,
    help: str = "",
    *,
    unit: str = "",
    finite: bool = True,
    optional: bool = False,
    later: bool = False,
) -> Any:
    """Declare an array field of an artifact; see :class:`ArraySpec`."""
    spec = ArraySpec(shape, dtype, help, unit, finite, optional, later=later)
    return field(default=None, metadata={"array": spec}) if optional else field(metadata={"array": spec})


def arrays(shape: str, dtype: str, help: str = "", *, finite: bool = True) -> Any:
    """Declare a dictionary of named arrays that share one shape."""
    spec = ArraySpec(shape, dtype, help, "", finite, mapping=True)
    return field(default_factory=dict, metadata={"array": spec})


@dataclass(frozen=True, kw_only=True, eq=False)
class Artifact:
    """A dataset or a result. ``name`` is what the project tree suggests to call it; it is not hashed."""

    name: str = ""

    registry: ClassVar[dict[str, type[Artifact]]] = {}
    title: ClassVar[str] = "Artifact"

    def __init_subclass__(cls, abstract: bool = False, **kwargs: Any) -> None:
        """``abstract``: only types made from it are artifacts."""
        super().__init_subclass__(**kwargs)
        if not abstract:
            Artifact.registry[cls.__name__] = cls

    def __post_init__(self) -> None:
        lengths: dict[str, tuple[int, str]] = {}
        for key, spec in self.array_specs().items():
            value = getattr(self, key)
            if value is None and spec.optional:
                continue
            if spec.mapping:
                checked: Any = {str(k): self._checked(f"{key}[{k}]", v, spec, lengths) for k, v in dict(value).items()}
            else:
                checked = self._checked(key, value, spec, lengths)
            object.__setattr__(self, key, checked)
        self.validate()

    def validate(self) -> None:
        """Check what shapes and dtypes alone cannot say. Raises :class:`UserError`."""

    @classmethod
    def array_specs(cls) -> dict[str, ArraySpec]:
        return {f.name: f.metadata["array"] for f in dataclasses.fields(cls) if "array" in f.metadata}

    def _checked(self, key: str, value: Any, spec: ArraySpec, lengths: dict[str, tuple[int, str]]) -> np.ndarray:
        where = f"{self.title}, {key}"
        try:
            if spec.dtype in ("number", "any"):
                result = np.asarray(value)
                if result.dtype == object or (spec.dtype == "number" and result.dtype.kind not in "biufc"):
                    raise TypeError(f"dtype {result.dtype}")
            else:
                result = np.asarray(value, dtype=spec.dtype)
        except (TypeError, ValueError, OverflowError) as error:
            raise UserError(f"{where} cannot be read as {spec.dtype} numbers.", str(error), "Check the data.") from None
        dims = spec.shape.split()
        if spec.shape != "..." and result.ndim != len(dims):
            raise UserError(
                f"{where} has {result.ndim} dimensions; expected {len(dims)} ({spec.shape}).",
                mend="Check how the data was put together.",
            )
        for dim, size in zip(dims, result.shape, strict=False):
            if dim == "...":
                break
            expected, by = (int(dim), "") if dim.isdigit() else lengths.setdefault(dim, (size, key))
            if size != expected:
                of = f" as {by} has" if by else ""
                raise UserError(
                    f"{where} has length {size} where {expected} was expected{of}.",
                    mend="Check how the data was put together.",
                )
        if spec.finite and result.dtype.kind in "fc" and not np.isfinite(result).all():
            bad = int(result.size - np.isfinite(result).sum())
            raise UserError(
                f"{where} holds {bad:,} values that are not finite.",
                "NaN and infinity cannot be used.",
                "Remove or replace them in the source.",
            )
        result = result.view()
        result.flags.writeable = False
        return result

    def __getstate__(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """What crossed from another process of ours is as read-only as what was made here."""
        self.__dict__.update(state)
        for part in self.parts().values():
            part.flags.writeable = False

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed (arrays are shared)."""
        return dataclasses.replace(self, **changes)

    def parts(self) -> dict[str, np.ndarray]:
        """Every array by its path (``"vertices"``, ``"scalars/curvature"``, ``"model/weights/w"``)."""
        found: dict[str, np.ndarray] = {}
        for f in dataclasses.fields(self):
            value = getattr(self, f.name)
            if isinstance(value, np.ndarray):
                found[f.name] = value
            elif isinstance(value, Artifact):
                found |= {f"{f.name}/{k}": v for k, v in value.parts().items()}
            elif isinstance(value, dict):
                found |= {f"{f.name}/{k}": v for k, v in value.items() if isinstance(v, np.ndarray)}
        return found

    @property
    def nbytes(self) -> int:
        return sum(part.nbytes for part in self.parts().values())

    def clock_parts(self) -> frozenset[str]:
        """Paths of parts that a clock measured: their values differ each time and do not count for the hash."""
        return frozenset()

    def summary(self) -> str:
        """One line for lists and the tree, such as ``"12,040 vertices, 24,076 faces"``."""
        return ", ".join(f"{k} {'×'.join(map(str, v.shape))}" for k, v in self.parts().items())

    def content_hash(self) -> str:
        """A BLAKE2b digest (32 hex digits) of type, scalars and arrays; the name does not count."""
        digest = hashlib.blake2b(type(self).__name__.encode(), digest_size=16)
        later = {name for name, spec in self.array_specs().items() if spec.later}
        by_clock = self.clock_parts()
        for f in dataclasses.fields(self):
            value = getattr(self, f.name)
            if f.name == "name" or isinstance(value, np.ndarray) or (value is None and f.name in later):
                continue
            if f.metadata.get("later") and value == f.default:  # a plain field that came to the type, as such arrays
                continue
            if isinstance(value, Artifact):
                digest.update(f"{f.name}={value.content_hash()};".encode())
            elif isinstance(value, dict):
                plain = {k: v for k, v in sorted(value.items()) if not isinstance(v, np.ndarray)}
                digest.update(f"{f.name}={plain!r};".encode())
            else:
                digest.update(f"{f.name}={value!r};".encode())
        for key, part in sorted(self.parts().items()):
            digest.update(f"{key}:{part.dtype.str}:{part.shape};".encode())
            if key in by_clock:
                continue
            if part.dtype.kind in "mM":
                part = part.view("i8")  # times have no buffer of their own
            digest.update(np.ascontiguousarray(part).data if part.dtype.kind != "U" else repr(part.tolist()).encode())
        return digest.hexdigest()
