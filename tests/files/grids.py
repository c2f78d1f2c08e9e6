"""Files of fields as other programs write them."""

from __future__ import annotations

import numpy as np

X = np.linspace(-1, 1, 12)
T = np.linspace(0, 2, 7)
VALUES = np.sin(3 * X[:, None] - T) * np.exp(-T)
"""(12, 7) over x and t."""


def archive(folder, **changes):
    np.savez(folder / "a.npz", **({"x": X, "t": T, "u": VALUES.T} | changes))
    return folder / "a.npz"


def matlab(folder, packed=True, **changes):
    import scipy.io

    arrays = {"x": X, "t": T[:, None], "usol": VALUES, "note": "text", "more": {"a": 1}, "cells": np.zeros(2, object)}
    scipy.io.savemat(folder / "b.mat", arrays | changes, do_compression=packed)
    return folder / "b.mat"


def matlab_hdf5(folder):
    """Version 7.3: HDF5 behind a header of 512 bytes, with axes in the opposite order."""
    import h5py

    with h5py.File(folder / "b.mat", "w", userblock_size=512) as file:
        file["x"], file["t"], file["usol"] = X[:, None], T[None], VALUES.T
        file.create_group("#refs#")["hidden"] = np.zeros((50, 50))
    with (folder / "b.mat").open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\2IM")
    return folder / "b.mat"


def foreign_hdf5(folder):
    import h5py

    with h5py.File(folder / "g.h5", "w") as file:
        group = file.create_group("run/1")
        group["x"], group["t"] = X, T
        group.create_dataset("u", data=VALUES, compression="gzip", shuffle=True)
        file["parameters"] = np.zeros(5)
    return folder / "g.h5"


def frames(folder, lost=()):
    """Eleven frames of 4 x 5 nodes, from time 0 to 1."""
    for index in range(11):
        if index not in lost:
            np.save(folder / f"heat_{index / 10:.2f}.npy", np.full((4, 5), index / 10))
    return folder
