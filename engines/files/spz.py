"""``.spz`` of Niantic: quantised Gaussian clouds, about ten times smaller than PLY.

Versions 1 to 3 are one gzip stream: a header of 16 bytes, then positions (24-bit fixed point; 16-bit floats in version
1), opacities, colours, logarithms of scales, rotations and harmonics of all Gaussians, each by itself. Version 4 has
its header in the clear and packs each of these with zstd. Axes are x right, y up, z backward.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path
from typing import Any, Literal

import numpy as np

from engines.core import Param, Params
from engines.data import GaussianCloud
from engines.files import guard
from engines.files.gaussians import FLIP, logits_of, opacities_of, turned, usable_cloud
from engines.files.registry import Loaded, reader, writer

MAGIC = 0x5053474E
COLOUR = 0.15
"""A step of the base colour is 1 / (255 · 0.15), so that colours somewhat outside of the gamut are kept."""
COEFFICIENTS = {0: 0, 1: 3, 2: 8, 3: 15, 4: 24}
DEFLATE_RATIO = 1100
ZSTD_RATIO = 20_000
HAS_MORE = 2  # flag: what only some programs know follows
FRACTION = 12


class SpzReadOptions(Params):
    axes: Literal["y down", "y up"] = Param(
        "y down", help="Turn to the axes of photos (as PLY files of splats have them), or keep those of the file"
    )


class SpzWriteOptions(Params):
    axes: Literal["y down", "y up"] = Param(
        "y down", help="The cloud's own axes: those of photos, or y up; the file has y up"
    )
    harmonics: Literal["compact", "full"] = Param(
        "compact", help="Bits of colours that depend on the view: 5 and 4, or 8", source="spz, PackOptions"
    )


@reader(key="spz", title="SPZ cloud", extensions=(".spz",), gives=(GaussianCloud,), options=SpzReadOptions)
def read_spz(path: Path, options: SpzReadOptions) -> Loaded:
    raw = guard.read_bytes(path)
    if raw[:2] == b"\x1f\x8b":
        version, count, degree, fraction, streams = _gzipped(path, raw)
    elif raw[:4] == MAGIC.to_bytes(4, "little") and len(raw) >= 32:
        version, count, degree, fraction, streams = _zstd_streams(path, raw)
    else:
        raise guard.refuse(path, "is not an .spz file.", "It begins neither with a gzip stream nor with 'NGSP'.")
    positions, alphas, colours, scales, rotations, harmonics = streams
    if version == 1:
        means = np.frombuffer(positions, "<f2").reshape(count, 3).astype(np.float32)
    else:
        bytes_ = np.frombuffer(positions, np.uint8).reshape(count, 3, 3).astype(np.int32)
        fixed = bytes_[..., 0] << 8 | bytes_[..., 1] << 16 | bytes_[..., 2] << 24  # the sign in its place
        means = ((fixed >> 8) * 2.0**-fraction).astype(np.float32)
    sh = np.zeros((count, 1 + min(COEFFICIENTS[degree], 15), 3), np.float32)
    sh[:, 0] = (np.frombuffer(colours, np.uint8).reshape(count, 3) / 255 - 0.5) / COLOUR
    if degree:
        rest = np.frombuffer(harmonics, np.uint8).reshape(count, COEFFICIENTS[degree], 3)[:, :15]
        sh[:, 1:] = (rest.astype(np.float32) - 128) / 128
    loaded = usable_cloud(
        path,
        means,
        _rotations(np.frombuffer(rotations, np.uint8).reshape(count, -1)),
        np.frombuffer(scales, np.uint8).reshape(count, 3).astype(np.float32) / 16 - 10,
        logits_of(np.frombuffer(alphas, np.uint8) / 255, 1 / 255),
        sh,
        problems=("Colours of degree 4 were cut to degree 3.",) if degree == 4 else (),
    )
    if options.axes == "y up":
        return loaded
    return Loaded((turned(loaded.artifacts[0], FLIP),), loaded.problems)  # type: ignore[arg-type]


def _sizes(path: Path, version: int, count: int, degree: int, fraction: int, ratio: int) -> list[int]:
    """Bytes of the six streams, checked against what the file can hold."""
    if degree not in COEFFICIENTS or fraction > 23:
        raise guard.refuse(path, "has a damaged header.", f"Degree {degree}, {fraction} fractional bits.")
    if not count:
        raise guard.refuse(path, "holds no Gaussians.")
    each = [6 if version == 1 else 9, 1, 3, 3, 4 if version >= 3 else 3, 3 * COEFFICIENTS[degree]]
    total = count * sum(each)
    if total > ratio * path.stat().st_size:
        raise guard.refuse(
            path,
            "is shorter than its header says.",
            f"{count:,} Gaussians do not fit in {path.stat().st_size:,} bytes.",
            "It is cut off or damaged: copy or export it again.",
        )
    guard.room(path, total + count * 4 * (11 + 3 * COEFFICIENTS[degree]) * 2)
    return [count * n for n in each]


def _gzipped(path: Path, raw: bytes) -> tuple[int, int, int, int, list[bytes]]:
    machine = zlib.decompressobj(wbits=31)
    try:
        head = machine.decompress(raw, 16)
        if len(head) < 16:
            raise guard.refuse(path, "is cut off.", "Its header is not complete.")
        magic, version, count, degree, fraction, flags, _ = struct.unpack("<IIIBBBB", head)
        if magic != MAGIC or version not in (1, 2, 3):
            raise guard.refuse(
                path,
                "is not an .spz file, or of an unknown version.",
                f"Its packed header begins with {magic:#x}, version {version}; versions 1 to 3 are packed so.",
            )
        sizes = _sizes(path, version, count, degree, fraction, DEFLATE_RATIO)
        data = machine.decompress(machine.unconsumed_tail, sum(sizes))
        if len(data) == sum(sizes) and not flags & HAS_MORE and not machine.eof:
            machine.decompress(machine.unconsumed_tail, 1)  # its end, with the checksum
    except zlib.error as error:
        raise guard.refuse(path, "has damaged compressed data.", f"{error}.") from None
    if len(data) < sum(sizes) or not (machine.eof or flags & HAS_MORE):
        raise guard.refuse(
            path,
            "has the wrong amount of data.",
            f"{count:,} Gaussians should take {sum(sizes):,} bytes; found {len(data):,}"
            f"{' or more' if len(data) == sum(sizes) else ''}.",
        )
    ends = np.cumsum(sizes)
    return version, count, degree, fraction, [data[e - s : e] for s, e in zip(sizes, ends, strict=True)]


def _zstd_streams(path: Path, raw: bytes) -> tuple[int, int, int, int, list[bytes]]:
    _, version, count, degree, fraction, _, number, toc = struct.unpack_from("<IIIBBBBI", raw)
    if version != 4:
        raise guard.refuse(path, f"has version {version}.", "Versions 1 to 4 are read.", "Export it as version 3.")
    sizes = _sizes(path, version, count, degree, fraction, ZSTD_RATIO)
    if number < 6 - (degree == 0) or toc < 32 or toc + 16 * number > len(raw):
        raise guard.refuse(path, "has a damaged table of contents.", f"{number} streams, listed at byte {toc:,}.")
    entries = [struct.unpack_from("<QQ", raw, toc + 16 * i) for i in range(number)]
    at, streams = toc + 16 * number, []
    decompressor = _zstd(path)
    for (packed, size), expected in zip(entries, sizes, strict=False):
        if size != expected or packed > len(raw) - at:
            raise guard.refuse(path, "has the wrong amount of data.", f"A part should be {expected:,} bytes.")
        try:
            data = decompressor().decompress(raw[at : at + packed], expected + 1) if size else b""
        except Exception as error:  # zstd has no errors of its own in older versions
            raise guard.refuse(path, "has damaged compressed data.", f"{error}"[:200] + ".") from None
        if len(data) != expected:
            raise guard.refuse(path, "has the wrong amount of data.", f"A part should be {expected:,} bytes.")
        streams.append(data)
        at += packed
    return version, count, degree, fraction, [*streams, *[b""] * (6 - len(streams))]


def _zstd(path: Path) -> Any:
    """A class whose ``decompress(data, most)`` unpacks zstd; Python has it from 3.14 on."""
    try:
        from compression.zstd import ZstdDecompressor  # type: ignore[import-not-found]
    except ImportError:
        raise guard.refuse(
            path,
            "has version 4, which is packed with zstd.",
            "This Python cannot unpack it; 3.14 and later can.",
            "Export it as version 3, or run this program with Python 3.14.",
        ) from None
    return ZstdDecompressor


def _rotations(packed: np.ndarray) -> np.ndarray:
    """Quaternions (N, 4) w x y z of bytes (N, 3): x, y, z; or (N, 4): all but the largest in ten bits each."""
    if packed.shape[1] == 3:
        xyz = packed.astype(np.float32) / 127.5 - 1
        w = np.sqrt(np.maximum(0, 1 - (xyz**2).sum(1, keepdims=True)))
        return np.asarray(np.concatenate([w, xyz], axis=1))
    word = np.ascontiguousarray(packed).view("<u4")[:, 0]
    largest = (word >> 30).astype(np.int64)
    found = np.zeros((len(word), 4), np.float32)  # x y z w
    for i in (3, 2, 1, 0):
        other = largest != i
        value = (word & 511).astype(np.float32) * np.float32(np.sqrt(0.5) / 511)
        found[other, i] = np.where(word[other] >> 9 & 1, -value[other], value[other])
        word = np.where(other, word >> 10, word)
    rest = 1 - (found**2).sum(1)
    found[np.arange(len(word)), largest] = np.sqrt(np.maximum(rest, 0))
    return found[:, [3, 0, 1, 2]]


@writer(key="spz", title="SPZ cloud", extensions=(".spz",), takes=(GaussianCloud,), options=SpzWriteOptions)
def write_spz(cloud: GaussianCloud, path: Path, options: SpzWriteOptions) -> None:
    """Version 3, which all programs read."""
    item = turned(cloud, FLIP) if options.axes == "y down" else cloud
    farthest = float(np.abs(item.means).max(initial=0))
    fraction = FRACTION
    while farthest * 2.0**fraction > 2**23 - 1 and fraction:
        fraction -= 1  # coarser steps reach further
    if farthest * 2.0**fraction > 2**23 - 1:
        raise guard.refuse(path, "cannot hold the cloud.", "It reaches further than 8 million.", "Scale it down.")
    fixed = np.round(item.means.astype(np.float64) * 2.0**fraction).astype("<i4")
    quaternions = item.quaternions.astype(np.float64)[:, [1, 2, 3, 0]]
    quaternions /= np.linalg.norm(quaternions, axis=1, keepdims=True)
    largest = np.abs(quaternions).argmax(1)
    quaternions *= np.where(quaternions[np.arange(len(item)), largest] < 0, -1, 1)[:, None]
    word = largest.astype(np.uint32)
    for i in range(4):
        part = (quaternions[:, i] < 0).astype(np.uint32) << 9
        part |= (511 * np.abs(quaternions[:, i]) * np.sqrt(2) + 0.5).clip(0, 511).astype(np.uint32)
        word = np.where(largest != i, word << 10 | part, word)
    streams = [
        fixed.view(np.uint8).reshape(-1, 3, 4)[..., :3],
        _bytes(255 * opacities_of(item.opacity_logits)),
        _bytes(255 * (item.sh[:, 0] * COLOUR + 0.5)),
        _bytes((item.log_scales + 10) * 16),
        word.astype("<u4").view(np.uint8),
        _harmonics(item.sh[:, 1:], options.harmonics == "compact"),
    ]
    head = struct.pack("<IIIBBBB", MAGIC, 3, len(item), item.degree, fraction, 0, 0)
    data = head + b"".join(np.ascontiguousarray(s).tobytes() for s in streams)
    path.write_bytes(gzip.compress(data, 6, mtime=0))


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.round(values).clip(0, 255).astype(np.uint8)


def _harmonics(rest: np.ndarray, compact: bool) -> np.ndarray:
    """(N, K - 1, 3) bytes; zeros at the end of each pack well."""
    steps = np.where(np.arange(rest.shape[1]) < 3, 8, 16)[:, None] if compact else np.ones((rest.shape[1], 1), int)
    values = np.round(rest * np.float32(128)).clip(-1000, 1000).astype(np.int32) + 128
    return np.asarray(((values + steps // 2) // steps * steps).clip(0, 255).astype(np.uint8))
