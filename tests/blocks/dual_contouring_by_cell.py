"""Dual contouring as a plain loop over cells, one least-squares solve each: the readable twin."""

from __future__ import annotations

import itertools

import numpy as np


def by_cell(values, gradient=None, bias=0.01):
    """Vertices (V, 3) in units of nodes, faces (F, 3), and a dict from cell to vertex number.

    One vertex per cell; border nodes must be outside.
    """
    inside = values < 0
    nx, ny, nz = (n - 1 for n in values.shape)
    numbers, vertices, faces = {}, [], []
    for cell in itertools.product(range(nx), range(ny), range(nz)):
        points = []
        for axis in range(3):
            for offset in itertools.product((0, 1), repeat=2):
                start = list(cell)
                start[(axis + 1) % 3] += offset[0]
                start[(axis + 2) % 3] += offset[1]
                end = list(start)
                end[axis] += 1
                a, b = values[tuple(start)], values[tuple(end)]
                if (a < 0) != (b < 0):
                    point = np.array(start, float)
                    point[axis] += a / (a - b)
                    points.append(point)
        if points:
            numbers[cell] = len(vertices)
            vertices.append(minimiser(np.array(points), gradient, np.array(cell, float), bias))
    for node in itertools.product(range(nx), range(ny), range(nz)):
        for axis in range(3):
            end = list(node)
            end[axis] += 1
            if inside[node] == inside[tuple(end)]:
                continue
            b, c = (axis + 1) % 3, (axis + 2) % 3
            around = []
            for db, dc in ((0, 0), (1, 0), (1, 1), (0, 1)):
                cell = list(node)
                cell[b] -= db
                cell[c] -= dc
                around.append(numbers[tuple(cell)])
            if not inside[node]:
                around.reverse()
            faces += [around[:3], [around[0], *around[2:]]]
    return np.array(vertices), np.array(faces), numbers


def minimiser(points, gradient, cell, bias):
    mean = points.mean(0)
    if gradient is None:
        return mean
    normals = gradient(points)
    normals = normals / np.linalg.norm(normals, axis=1, keepdims=True)
    rows = np.concatenate([normals, bias * np.eye(3)])
    right = np.concatenate([(normals * (points - mean)).sum(1), np.zeros(3)])
    low, high = cell - mean, cell + 1 - mean
    free = np.linalg.lstsq(rows, right, rcond=None)[0]
    if (free >= low).all() and (free <= high).all():
        return mean + free
    best, lowest = None, np.inf
    for fixed in itertools.product((None, 0, 1), repeat=3):  # inside, each face, edge and corner
        held = [k for k in range(3) if fixed[k] is not None]
        rest = [k for k in range(3) if fixed[k] is None]
        x = np.zeros(3)
        x[held] = [high[k] if fixed[k] else low[k] for k in held]
        if rest:
            x[rest] = np.linalg.lstsq(rows[:, rest], right - rows[:, held] @ x[held], rcond=None)[0]
        if (x >= low - 1e-12).all() and (x <= high + 1e-12).all():
            energy = ((rows @ x - right) ** 2).sum()
            if energy < lowest:
                best, lowest = x, energy
    return mean + best
