"""Damages files as disks, networks and editors do; deterministic by seed."""

from __future__ import annotations

import numpy as np

NUMBERS = (b"-1", b"0", b"nan", b"inf", b"1e308", b"99999999999999999999", b"2147483648", b"4294967295", b"0x10", b"")


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """One to three random damages."""
    for _ in range(int(rng.integers(1, 4))):
        data = DAMAGES[int(rng.integers(len(DAMAGES)))](data, rng)
    return data


def _at(data: bytes, rng: np.random.Generator) -> int:
    """A place, half of the time near the start, where headers are."""
    most = len(data) if rng.random() < 0.5 else min(len(data), 400)
    return int(rng.integers(0, max(most, 1)))


def _flip(data: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 9))):
        if changed:
            changed[_at(data, rng)] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _overwrite(data: bytes, rng: np.random.Generator) -> bytes:
    at, width = _at(data, rng), int(rng.choice([1, 2, 4, 8]))
    value = [b"\xff", b"\x00", b"\x7f", b"\x80"][int(rng.integers(4))] * width
    return data[:at] + value + data[at + width :]


def _cut(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: _at(data, rng)]


def _remove(data: bytes, rng: np.random.Generator) -> bytes:
    at = _at(data, rng)
    return data[:at] + data[at + int(rng.integers(1, 64)) :]


def _insert(data: bytes, rng: np.random.Generator) -> bytes:
    at = _at(data, rng)
    return data[:at] + rng.bytes(int(rng.integers(1, 64))) + data[at:]


def _repeat(data: bytes, rng: np.random.Generator) -> bytes:
    at = _at(data, rng)
    piece = data[at : at + int(rng.integers(1, 200))]
    return data[:at] + piece * int(rng.integers(2, 5)) + data[at + len(piece) :]


def _number(data: bytes, rng: np.random.Generator) -> bytes:
    """Replaces a run of digits, as in a text header."""
    at = _at(data, rng)
    while at < len(data) and not data[at : at + 1].isdigit():
        at += 1
    end = at
    while end < len(data) and data[end : end + 1].isdigit():
        end += 1
    return data[:at] + NUMBERS[int(rng.integers(len(NUMBERS)))] + data[end:]


def _swap(data: bytes, rng: np.random.Generator) -> bytes:
    lines = data.split(b"\n")
    i, j = (int(rng.integers(len(lines))) for _ in range(2))
    lines[i], lines[j] = lines[j], lines[i]
    return b"\n".join(lines)


DAMAGES = (_flip, _overwrite, _cut, _remove, _insert, _repeat, _number, _number, _swap)
