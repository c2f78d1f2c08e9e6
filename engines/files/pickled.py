"""Numbers out of pickles, of which nothing is executed.

A pickle is a program: it names classes and functions, and has them called. Here every name stands for a container of
this module that keeps what it is given; those that hold arrays are known (NumPy, the sparse matrices of SciPy, chumpy).
Any other name is refused before it is looked up. The interpreter is the one in Python, whose memory grows no faster
than its input; keys of dictionaries are texts or numbers, since hashing what is nested deeply overflows the stack.
"""

from __future__ import annotations

import io
import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from engines.core import UserError
from engines.files import guard

MOST_BYTES = 1 << 25
MOST_ENTRIES = 2_000_000
"""Of a sparse matrix, which is made dense."""
KINDS = "fiub"


class Held:
    """What a pickle made of a class: the name, the arguments and the state."""

    def __init__(self, name: str, *arguments: Any) -> None:
        self.name, self.arguments, self.state = name, arguments, {}  # type: tuple[str, tuple[Any, ...], Any]

    def get(self, key: str) -> Any:
        return self.state.get(key) if isinstance(self.state, dict) else None


class Named:
    """A name in a pickle. Calling it makes a :class:`Held`, or what ``make`` gives for the arguments."""

    def __init__(self, name: str, make: Callable[..., Any] | None = None) -> None:
        self.name, self.make = name, make

    def __call__(self, *arguments: Any) -> Any:
        return self.make(*arguments) if self.make is not None else Held(self.name, *arguments)


def _reconstructor(kind: Any, *rest: Any) -> Held:
    if not isinstance(kind, Named):
        raise ValueError("a class was expected")
    return Held(kind.name)


def _pairs(pairs: Any = ()) -> dict[Any, Any]:
    return {_key(key): value for key, value in pairs}


def _text(value: Any, coding: Any = "latin1") -> bytes:
    return str(value).encode("latin1")


def _key(key: Any) -> Any:
    if not isinstance(key, (str, bytes, int, float, bool, type(None))):
        raise ValueError("a key is no text")
    return key


_NUMPY = ("numpy.core.multiarray", "numpy._core.multiarray", "numpy.core.numeric", "numpy._core.numeric")
KNOWN: dict[tuple[str, str], Callable[..., Any] | None] = {
    **{(module, name): None for module in _NUMPY for name in ("_reconstruct", "scalar", "_frombuffer")},
    ("numpy", "ndarray"): None,
    ("numpy", "dtype"): None,
    **{(module, "_reconstructor"): _reconstructor for module in ("copy_reg", "copyreg")},
    **{(module, "__newobj__"): _reconstructor for module in ("copy_reg", "copyreg")},
    **{(module, "object"): None for module in ("__builtin__", "builtins")},
    **{(module, "set"): lambda items=(): list(items) for module in ("__builtin__", "builtins")},
    ("_codecs", "encode"): _text,
    ("collections", "OrderedDict"): _pairs,
}
SPARSE = ("csc_matrix", "csr_matrix", "coo_matrix", "csc_array", "csr_array", "coo_array")


class _Reader(pickle._Unpickler):  # type: ignore[name-defined,misc]
    dispatch: ClassVar[dict[int, Callable[..., None]]] = dict(pickle._Unpickler.dispatch)  # type: ignore[attr-defined]

    def __init__(self, path: Path, data: bytes) -> None:
        super().__init__(io.BytesIO(data), encoding="latin1")
        self.path = path

    def find_class(self, module: str, name: str) -> Named:
        full = f"{module}.{name}"
        sparse = module.startswith("scipy.sparse") and name in SPARSE
        if module == "chumpy" or module.startswith("chumpy.") or sparse:
            return Named(full)
        if (module, name) not in KNOWN:
            raise guard.refuse(
                self.path,
                f"asks for '{full[:100]}', which no array needs.",
                "A pickle can run programs. Of this one nothing was executed.",
                "Use the file as its makers publish it, and only from them.",
            )
        return Named(full, KNOWN[module, name])

    def get_extension(self, code: int) -> None:
        raise ValueError("an extension is asked for")

    def load_build(self) -> None:
        state = self.stack.pop()
        if not isinstance(self.stack[-1], Held):
            raise ValueError("a state is given to what has none")
        self.stack[-1].state = state

    def load_reduce(self) -> None:
        arguments = self.stack.pop()
        self.stack[-1] = self._called(self.stack[-1], arguments)

    def load_newobj(self) -> None:
        arguments, kind = self.stack.pop(), self.stack.pop()
        self.append(self._called(kind, arguments))

    def load_newobj_ex(self) -> None:
        self.stack.pop()
        self.load_newobj()

    def _instantiate(self, kind: Any, arguments: Any) -> None:
        self.append(self._called(kind, tuple(arguments)))

    def _called(self, kind: Any, arguments: Any) -> Any:
        if not isinstance(kind, Named) or not isinstance(arguments, tuple):
            raise ValueError("something is called that is no class")
        return kind(*arguments)

    def load_appends(self) -> None:
        items = self.pop_mark()
        self._list().extend(items)

    def load_append(self) -> None:
        value = self.stack.pop()
        self._list().append(value)

    def _list(self) -> list[Any]:
        if not isinstance(self.stack[-1], list):
            raise ValueError("something is added to what is no list")
        found: list[Any] = self.stack[-1]
        return found

    def load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._dict()[_key(key)] = value

    def load_setitems(self) -> None:
        items = self.pop_mark()
        self._dict().update({_key(key): value for key, value in zip(items[::2], items[1::2], strict=True)})

    def load_dict(self) -> None:
        items = self.pop_mark()
        self.append({_key(key): value for key, value in zip(items[::2], items[1::2], strict=True)})

    def _dict(self) -> dict[Any, Any]:
        if not isinstance(self.stack[-1], dict):
            raise ValueError("an entry is given to what is no dictionary")
        found: dict[Any, Any] = self.stack[-1]
        return found

    def load_empty_set(self) -> None:
        self.append([])  # not hashed

    def load_frozenset(self) -> None:
        self.append(self.pop_mark())

    def load_bytearray8(self) -> None:
        """Not made as long as it says before anything is read."""
        length = int.from_bytes(self.read(8), "little")
        data = self.read(min(length, MOST_BYTES))
        if len(data) != length:
            raise ValueError("a bytearray is cut off")
        self.append(data)

    for _code, _own in {
        "BUILD": load_build, "REDUCE": load_reduce, "NEWOBJ": load_newobj, "NEWOBJ_EX": load_newobj_ex,
        "APPENDS": load_appends, "APPEND": load_append, "SETITEM": load_setitem, "SETITEMS": load_setitems,
        "DICT": load_dict, "EMPTY_SET": load_empty_set, "ADDITEMS": load_appends, "FROZENSET": load_frozenset,
        "BYTEARRAY8": load_bytearray8,
    }.items():  # fmt: skip
        dispatch[getattr(pickle, _code)[0]] = _own


def unpickled(path: Path) -> Any:
    """What a pickle holds, with :class:`Held` for objects. Raises :class:`UserError` for names that are not known."""
    data = guard.read_bytes(path, MOST_BYTES)
    try:
        return _Reader(path, data).load()
    except UserError:
        raise
    except MemoryError:
        raise guard.refuse(path, "does not fit in memory.", "", "Close other programs.") from None
    except Exception as error:  # what an interpreter raises at a damaged program is not known
        detail = f"{type(error).__name__}: {error}"[:200].rstrip(".")
        raise guard.refuse(path, "is no pickle, or a damaged one.", f"{detail}.") from error


def array_of(value: Any) -> np.ndarray:
    """A numeric array out of what a pickle holds: NumPy, chumpy or sparse. Raises ValueError for anything else."""
    if isinstance(value, Held) and value.name.startswith("chumpy"):
        return _chumpy(value)
    if isinstance(value, Held) and value.name.startswith("scipy.sparse"):
        return _sparse(value)
    if isinstance(value, Held) and value.name.endswith("_frombuffer"):
        data, kind, shape, order = (*value.arguments, "C")[:4]
        return _numbers(data, kind, shape, order == "F")
    if isinstance(value, Held) and value.name.endswith("_reconstruct"):
        if not isinstance(value.state, tuple) or len(value.state) < 4:
            raise ValueError("an array has no content")
        shape, kind, fortran, data = value.state[-4:]
        return _numbers(data, kind, shape, bool(fortran))
    if isinstance(value, (list, tuple, int, float)):
        found = np.array(value)
        if found.dtype.kind in KINDS:
            return found
    raise ValueError("it is no array of numbers")


def _numbers(data: Any, kind: Any, shape: Any, fortran: bool) -> np.ndarray:
    raw = data.encode("latin1") if isinstance(data, str) else data
    if isinstance(raw, Held) or not isinstance(raw, (bytes, bytearray)) or not isinstance(shape, tuple):
        raise ValueError("an array has no content")
    dtype = _dtype(kind)
    if not all(isinstance(n, int) and n >= 0 for n in shape) or math.prod(shape) * dtype.itemsize != len(raw):
        raise ValueError(f"an array of {shape} does not fit its {len(raw):,} bytes"[:200])
    return np.frombuffer(bytes(raw), dtype).reshape(shape, order="F" if fortran else "C")


def _dtype(kind: Any) -> np.dtype:
    name = kind.arguments[0] if isinstance(kind, Held) and kind.arguments else None
    order = kind.state[1] if isinstance(kind, Held) and isinstance(kind.state, tuple) and len(kind.state) > 1 else "="
    if not isinstance(name, str) or len(name) > 3 or name[:1] not in KINDS or order not in ("<", ">", "|", "="):
        raise ValueError("an array holds no numbers")
    return np.dtype(name).newbyteorder(order)


def _chumpy(value: Held, depth: int = 0) -> np.ndarray:
    """The array of a chumpy object: its own, or a selection from another's."""
    if value.get("x") is not None:
        return array_of(value.get("x"))
    inner = value.get("a")
    if not isinstance(inner, Held) or depth > 32:
        raise ValueError("a chumpy object has no array")
    source = _chumpy(inner, depth + 1)
    if value.get("idxs") is None:
        return source
    shape = tuple(int(n) for n in array_of(value.get("preferred_shape")).reshape(-1))
    return source.reshape(-1)[array_of(value.get("idxs")).astype(np.int64).reshape(-1)].reshape(shape)


def _sparse(value: Held) -> np.ndarray:
    """The dense matrix of a sparse one."""
    rows, columns = (int(n) for n in array_of(value.get("_shape") or value.get("shape")).reshape(-1))
    data = array_of(value.get("data"))
    if min(rows, columns) < 1 or rows * columns > MOST_ENTRIES:
        raise ValueError(f"a sparse matrix has {rows}×{columns} entries")
    if "coo" in value.name:
        places = array_of(value.get("row")), array_of(value.get("col"))
    else:
        along, across = array_of(value.get("indices")), array_of(value.get("indptr")).astype(np.int64)
        if (np.diff(across) < 0).any() or across[0] != 0 or across[-1] != len(along):
            raise ValueError("a sparse matrix is damaged")
        other = np.repeat(np.arange(len(across) - 1), np.diff(across))
        places = (along, other) if "csc" in value.name else (other, along)
    for place, size in zip(places, (rows, columns), strict=True):
        if len(place) != len(data) or (len(place) and not 0 <= place.min() <= place.max() < size):
            raise ValueError("a sparse matrix points outside of itself")
    found = np.zeros((rows, columns))
    np.add.at(found, places, data)
    return found
