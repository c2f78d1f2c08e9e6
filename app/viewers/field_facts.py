"""What is known of the fields on show, as a small panel over the view."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QLabel, QVBoxLayout, QWidget

from app import theme
from app.viewers.overlay import number
from engines.core import Artifact
from engines.data import MeshField, SampledField, Solution, Trajectory

MARGIN, WIDTH = 8, 300


def facts_of(artifact: Artifact) -> list[tuple[str, str]]:
    """Names and values, in the user's words."""
    if isinstance(artifact, SampledField):
        return _of_grid(artifact)
    if isinstance(artifact, MeshField):
        return [("Mesh", artifact.summary()), *_of_times(artifact.times, artifact.time_name, artifact.time_unit)]
    if isinstance(artifact, Solution):
        problem = artifact.problem
        found = [("Form", artifact.form), ("Numbers stored", f"{artifact.size:,}")]
        found += [("Equation", equation) for equation in problem.equations]
        found += [
            (name, _range(np.array([low, high]), ""))
            for name, low, high in zip(problem.coordinates, problem.lower, problem.upper, strict=True)
        ]
        return [*found, *_settings(artifact.configuration)]
    if isinstance(artifact, Trajectory):
        found = [("Form", artifact.form), ("Numbers stored", f"{artifact.size:,} for each time")]
        found += _of_times(artifact.times, "t", "")
        return [*found, *_settings(artifact.configuration)]
    return [("Kind", artifact.title), ("Content", artifact.summary())]


def _settings(config: dict[str, Any]) -> list[tuple[str, str]]:
    """Numbers and words of the configuration; lists would be too long."""
    plain = {k: v for k, v in config.items() if isinstance(v, int | float | str) and not isinstance(v, bool)}
    return [(k.replace("_", " ").capitalize(), str(v)) for k, v in list(plain.items())[:10]]


def _of_grid(field: SampledField) -> list[tuple[str, str]]:
    found = [("Components", ", ".join(field.components))]
    if field.vectors:
        found.append(("Vectors", "; ".join(f"{name} ({', '.join(parts)})" for name, *parts in field.vectors)))
    found.append(("Nodes", " × ".join(f"{n:,}" for n in field.shape) + ("" if field.is_even else ", unevenly spaced")))
    for name, nodes in zip(field.coordinates, field.axes, strict=False):
        found.append((name, _range(nodes, field.length_unit)))
    found += _of_times(field.times, field.time_name, field.time_unit)
    return [*found, ("Values", f"{field.values.dtype}, {size(field.values.nbytes)}")]


def _of_times(times: np.ndarray, name: str, unit: str) -> list[tuple[str, str]]:
    return [("Times", f"{len(times):,}"), (name, _range(times, unit))] if len(times) > 1 else []


def _range(nodes: np.ndarray, unit: str) -> str:
    return f"{number(float(nodes[0]))} to {number(float(nodes[-1]))} {unit}".rstrip()


def size(count: float) -> str:
    """``"1.3 GB"``."""
    for name in ("bytes", "kB", "MB", "GB"):
        if count < 1000 or name == "GB":
            return f"{count:.0f} {name}" if name == "bytes" else f"{count:.3g} {name}"
        count /= 1000
    return ""


class Facts(QFrame):
    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("facts")
        self.setAccessibleName("Facts about the field")
        theme.mark(self, kind="box")
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 10, 12, 10)
        self.label = QLabel(self)
        self.label.setTextFormat(Qt.TextFormat.RichText)
        self.label.setWordWrap(True)
        self.label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        column.addWidget(self.label)
        self._artifacts: list[Artifact] = []
        self.hide()
        theme.signals.changed.connect(self._write)

    def show_facts(self, artifacts: Sequence[Artifact]) -> None:
        self._artifacts = list(artifacts)
        if self.isVisible():
            self._write()

    def set_open(self, on: bool) -> None:
        self.setVisible(on)
        if on:
            self._write()

    def _write(self) -> None:
        muted = theme.colors().muted
        blocks = []
        for artifact in self._artifacts:
            rows = "".join(
                f'<tr><td style="color:{muted}; padding-right:10px">{html.escape(name)}</td>'
                f"<td>{html.escape(value)}</td></tr>"
                for name, value in facts_of(artifact)
            )
            title = f"<b>{html.escape(artifact.name)}</b>" if artifact.name else ""
            blocks.append(f"{title}<table>{rows}</table>")
        self.label.setText("".join(blocks))
        self.place()

    def place(self) -> None:
        """At the upper right of the maps."""
        parent = self.parentWidget()
        width = min(WIDTH, parent.width() - 2 * MARGIN)
        self.setFixedWidth(max(80, width))
        height = self.label.heightForWidth(self.width() - 26) + 24
        self.setFixedHeight(min(height, max(40, parent.height() - 2 * MARGIN)))
        self.move(parent.width() - self.width() - MARGIN, MARGIN)
        self.raise_()
