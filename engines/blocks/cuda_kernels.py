"""CUDA kernels that are compiled at run time for the GPU at hand: NVRTC and the driver, through ctypes.

The machine code is kept on disk, so that only the first start on a machine compiles. Nothing here is needed, or loaded,
before a tensor on a CUDA device is to be worked on.
"""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import functools
import hashlib
import importlib.util
import os
import re
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

OPTIONS = ("--std=c++17",)
THREADS = 256
"""Of a block: all kernels are written for it."""


class Unavailable(Exception):  # noqa: N818 - a state of the machine, which the caller puts into words
    """There is no way to compile or to load kernels here; the message says why."""


class Kernels:
    """The kernels of one source file. Compiled and loaded at their first use on a device.

    ``sizes`` are constants that the source uses by these names.
    """

    def __init__(self, source: Path, **sizes: int) -> None:
        self._source, self._sizes = source, sizes
        self._lock = threading.Lock()
        self._modules: dict[int, ctypes.c_void_p] = {}
        self._functions: dict[tuple[int, str], ctypes.c_void_p] = {}
        self._missing: dict[int, str] = {}

    @property
    def text(self) -> str:
        """The source with its sizes."""
        sizes = "".join(f"#define {name} {size}\n" for name, size in self._sizes.items())
        return sizes + self._source.read_text(encoding="utf-8")

    def ready(self, device: torch.device) -> None:
        """Compile and load them if that is not done yet. Raises :class:`Unavailable`."""
        index = _index(device)
        with self._lock:
            if index not in self._modules:
                major, minor = torch.cuda.get_device_capability(index)
                code = machine_code(self.text, 10 * major + minor)
                module = ctypes.c_void_p()
                with torch.cuda.device(index):
                    _context()
                    _driver("cuModuleLoadData", ctypes.byref(module), ctypes.c_char_p(code))
                self._modules[index] = module

    def missing(self, device: torch.device) -> str:
        """Why they cannot be used on this device; empty if they can. The first call may compile them."""
        index = _index(device)
        if index not in self._missing:
            try:
                self.ready(device)
                self._missing[index] = ""
            except Unavailable as error:
                self._missing[index] = str(error)
        return self._missing[index]

    def launch(self, name: str, grid: int | tuple[int, int, int], *arguments: Tensor | int | ctypes.Structure) -> None:
        """Run a kernel on torch's current stream; the first tensor among its arguments says on which device.

        Tensors go as pointers, a ``ctypes`` structure by value, integers as 32 bits, :class:`Long` as 64 bits.
        """
        index = _index(next(a for a in arguments if isinstance(a, Tensor)).device)
        if index != torch.cuda.current_device():
            with torch.cuda.device(index):
                return self.launch(name, grid, *arguments)
        values = [as_c(argument) for argument in arguments]
        pointers = (ctypes.c_void_p * len(values))(*(ctypes.addressof(value) for value in values))
        x, y, z = (grid, 1, 1) if isinstance(grid, int) else grid
        if x and y and z:
            stream = ctypes.c_void_p(torch.cuda.current_stream(index).cuda_stream)
            _context()
            _driver("cuLaunchKernel", self._function(index, name), x, y, z, THREADS, 1, 1, 0, stream, pointers, None)
        return None

    def _function(self, index: int, name: str) -> ctypes.c_void_p:
        found = self._functions.get((index, name))
        if found is None:
            found = ctypes.c_void_p()
            _driver("cuModuleGetFunction", ctypes.byref(found), self._modules[index], name.encode())
            self._functions[index, name] = found
        return found


class Long(int):
    """An integer that a kernel takes as 64 bits."""


def _index(device: torch.device) -> int:
    return torch.cuda.current_device() if device.index is None else device.index


def as_c(argument: Tensor | int | ctypes.Structure) -> Any:
    """An argument of a kernel as C has it."""
    if isinstance(argument, Tensor):
        assert argument.is_contiguous()
        return ctypes.c_void_p(argument.data_ptr())
    if isinstance(argument, ctypes.Structure):
        return argument
    return ctypes.c_int64(argument) if isinstance(argument, Long) else ctypes.c_int(argument)


# ---- the driver -----------------------------------------------------------------------------------------------------


@functools.cache
def _driver_library() -> ctypes.CDLL:
    name = "nvcuda.dll" if os.name == "nt" else "libcuda.so.1"
    try:
        return ctypes.CDLL(name)
    except OSError as error:
        raise Unavailable(f"The driver's library {name} does not load.") from error


def _driver(name: str, *arguments: object) -> None:
    """Call the driver. Raises :class:`Unavailable` with what it says."""
    library = _driver_library()
    code = getattr(library, name)(*arguments)
    if code:
        text = ctypes.c_char_p()
        library.cuGetErrorString(code, ctypes.byref(text))
        raise Unavailable(f"{name}: {(text.value or b'unknown').decode()} ({code}).")


def _context() -> None:
    """Make torch's context current on a thread that has not worked on the device yet, such as one of autograd's."""
    current = ctypes.c_void_p()
    _driver("cuCtxGetCurrent", ctypes.byref(current))
    if not current.value:
        device = ctypes.c_int()
        _driver("cuDeviceGet", ctypes.byref(device), torch.cuda.current_device())
        _driver("cuDevicePrimaryCtxRetain", ctypes.byref(current), device)
        _driver("cuCtxSetCurrent", current)


# ---- the compiler ---------------------------------------------------------------------------------------------------


def machine_code(source: str, capability: int) -> bytes:
    """A cubin for this compute capability (90 is 9.0), from the disk if it was made before.

    Where the compiler is older than the GPU it is PTX for the newest architecture that it knows, which the driver
    translates. Raises :class:`Unavailable`.
    """
    compiler = _compiler()
    version = tuple(ctypes.c_int() for _ in range(2))
    compiler.nvrtcVersion(*(ctypes.byref(part) for part in version))
    known = [architecture for architecture in _architectures(compiler) if architecture <= capability]
    if not known:
        raise Unavailable(f"A GPU of compute capability {capability / 10:.1f} is too old for its compiler.")
    target = f"sm_{capability}" if capability in known else f"compute_{max(known)}"
    key = "\0".join([source, *OPTIONS, target, *(str(part.value) for part in version)])
    path = _folder() / f"{target}-{hashlib.sha256(key.encode()).hexdigest()[:32]}.bin"
    with contextlib.suppress(OSError):
        if code := path.read_bytes():
            return code
    code = _compiled(compiler, source, target)
    with contextlib.suppress(OSError):  # it is compiled again next time
        _keep(path, code)
    return code


def _compiled(compiler: ctypes.CDLL, source: str, target: str) -> bytes:
    program = ctypes.c_void_p()
    _check(compiler, compiler.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kernels.cu", 0, None, None))
    try:
        options = [option.encode() for option in (*OPTIONS, f"--gpu-architecture={target}")]
        result = compiler.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
        if result:
            size = ctypes.c_size_t()
            compiler.nvrtcGetProgramLogSize(program, ctypes.byref(size))
            log = ctypes.create_string_buffer(size.value)
            compiler.nvrtcGetProgramLog(program, log)
            raise Unavailable(f"The kernels do not compile for {target}: {log.value.decode(errors='replace')[:2000]}")
        kind = "CUBIN" if target.startswith("sm_") else "PTX"
        size = ctypes.c_size_t()
        _check(compiler, getattr(compiler, f"nvrtcGet{kind}Size")(program, ctypes.byref(size)))
        code = ctypes.create_string_buffer(size.value)
        _check(compiler, getattr(compiler, f"nvrtcGet{kind}")(program, code))
        return code.raw
    finally:
        compiler.nvrtcDestroyProgram(ctypes.byref(program))


def _architectures(compiler: ctypes.CDLL) -> list[int]:
    count = ctypes.c_int()
    _check(compiler, compiler.nvrtcGetNumSupportedArchs(ctypes.byref(count)))
    found = (ctypes.c_int * count.value)()
    _check(compiler, compiler.nvrtcGetSupportedArchs(found))
    return list(found)


def _check(compiler: ctypes.CDLL, code: int) -> None:
    if code:
        raise Unavailable(f"NVRTC: {compiler.nvrtcGetErrorString(code).decode()}.")


@functools.cache
def _compiler() -> ctypes.CDLL:
    """NVRTC. Raises :class:`Unavailable` where it is not found."""
    for path in _compiler_paths():
        try:
            library = ctypes.CDLL(path)
            library.nvrtcGetErrorString.restype = ctypes.c_char_p
            library.nvrtcGetNumSupportedArchs  # noqa: B018 - since CUDA 11.2: older ones are of no use here
            return library
        except (OSError, AttributeError):
            continue
    raise Unavailable("NVRTC, the compiler that comes with torch for CUDA, is not found.")


def _compiler_paths() -> Iterator[str]:
    """Where NVRTC may lie, first the ones of the CUDA version that torch was built for."""
    folders: list[Path] = []
    for name in ("nvidia", "torch"):
        spec = importlib.util.find_spec(name)
        for place in spec.submodule_search_locations or () if spec else ():
            folders += [Path(place) / "lib", *sorted(Path(place).glob("*/lib")), *sorted(Path(place).glob("*/bin"))]
    homes = [Path(os.environ[name]) for name in ("CUDA_HOME", "CUDA_PATH") if os.environ.get(name)]
    for home in (*homes, Path("/usr/local/cuda")):
        folders += [home / "lib64", home / "bin"]
    pattern = re.compile(r"(lib)?nvrtc(64_|-[0-9a-f]+|)(\.so|\d+).*", re.ASCII)
    found = [
        path
        for folder in folders
        if folder.is_dir()
        for path in sorted(folder.iterdir())
        if pattern.fullmatch(path.name) and ".alt" not in path.name
    ]
    wanted = (torch.version.cuda or "").split(".")[0]
    yield from (str(path) for path in sorted(found, key=lambda path: f".so.{wanted}" not in path.name))
    if name := ctypes.util.find_library("nvrtc"):
        yield name


def _folder() -> Path:
    """Where compiled kernels are kept: beside the program's other state (``FIELDWRIGHT_STATE`` moves it)."""
    if base := os.environ.get("FIELDWRIGHT_STATE"):
        return Path(base) / "kernels"
    try:
        import platformdirs  # not everywhere where engines run
    except ImportError:
        return Path.home() / ".local" / "state" / "fieldwright" / "kernels"
    return Path(platformdirs.user_state_dir("fieldwright", appauthor=False)) / "kernels"


def _keep(path: Path, code: bytes) -> None:
    """Written beside and renamed: another process sees all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(code)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
