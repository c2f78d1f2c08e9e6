"""Which artifacts of the project a method is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QComboBox, QGridLayout, QLabel, QSizePolicy, QWidget

from app import theme
from app.project import Entry
from app.window.pane import ARTIFACT_MIME
from app.window.widgets import name
from app.window.wording import in_sentence, with_article
from app.window.workbench import Workbench
from engines.core import Artifact, InputSpec, Method


def suitable(entries: Sequence[Entry], kind: type[Artifact]) -> list[Entry]:
    """Entries of this type, the latest first, datasets before results."""
    fits = [e for e in entries if e.type in Artifact.registry and issubclass(Artifact.registry[e.type], kind)]
    latest_first = list(reversed(fits))
    return sorted(latest_first, key=lambda e: e.role != "dataset")


def relatives(entry: Entry, entries: Sequence[Entry], kind: type[Artifact]) -> list[Entry]:
    """Datasets of another type that came with this one: from the same run or the same file."""
    return [
        e
        for e in suitable(entries, kind)
        if e.id != entry.id
        and e.role == "dataset"
        and ((e.run and e.run == entry.run) or (e.origin and e.origin == entry.origin))
    ]


def proposed(method: Method, entries: Sequence[Entry], chosen: Sequence[str]) -> dict[str, str]:
    """Inputs by name: what is selected first, then the latest that fits; optional ones only if they belong to it.

    Where several inputs take one type, as the two clouds of a transport do, they get theirs in the project's order.
    """
    by_id = {e.id: e for e in entries}
    picked = [by_id[i] for i in chosen if i in by_id]
    result: dict[str, str] = {}
    specs = sorted(method.inputs, key=lambda s: s.optional)
    for number, spec in enumerate(specs):
        others = specs[number + 1 :]
        free = [e for e in suitable(picked, spec.type) if e.id not in result.values()]
        alike = [s for s in others if free and _takes(s, free[0])]
        if not free and not spec.optional:
            free = [e for e in suitable(entries, spec.type) if e.id not in result.values()]
            alike = [s for s in others if free and _takes(s, free[0]) and not s.optional]
            more = [s for s in others if free and _takes(s, free[0]) and s.optional]
            if more and not alike:  # the latest is the last of those that came together
                free = [free[0], *relatives(free[0], entries, spec.type)]
                alike = more if len(free) > 1 else []
        if not free and spec.optional:
            free = [r for i in result.values() for r in relatives(by_id[i], entries, spec.type)]
            free = [e for e in free if e.id not in result.values()]
        if free:
            first = free[: 1 + len(alike)]
            result[spec.name] = min(first, key=lambda e: entries.index(e)).id
    return result


def _takes(spec: InputSpec, entry: Entry) -> bool:
    kind = Artifact.registry.get(entry.type)
    return kind is not None and issubclass(kind, spec.type)


class InputCombo(QComboBox):
    """Artifacts of one type; takes one that is dropped on it."""

    dropped = Signal(str)

    def __init__(self, spec: InputSpec, bench: Workbench) -> None:
        super().__init__()
        self._spec, self._bench = spec, bench
        self.setAcceptDrops(True)
        self.setIconSize(QSize(15, 15))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(10)
        name(self, f"Input {spec.name}", f"input:{spec.name}")
        self.setToolTip(spec.help or f"From the project: {with_article(spec.type.title)}")

    def wheelEvent(self, event) -> None:  # type: ignore[no-untyped-def]
        event.ignore()

    def _fitting(self, event: QDropEvent) -> str:
        ids = bytes(event.mimeData().data(ARTIFACT_MIME).data()).decode().split()
        entries = [e for i in ids if (e := self._bench.entry(i)) is not None]
        fits = suitable(entries, self._spec.type)
        return fits[0].id if fits else ""

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if self._fitting(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        fitting = self._fitting(event)
        if fitting:
            self.setCurrentIndex(self.findData(fitting))
            event.acceptProposedAction()


class InputPicker(QWidget):
    """One row for each input of a method."""

    changed = Signal()

    def __init__(self, method: Method, bench: Workbench) -> None:
        super().__init__()
        name(self, "Inputs", "InputPicker")
        self.method, self.bench = method, bench
        self._combos: dict[str, InputCombo] = {}
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 26, 0)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(6)
        grid.setColumnStretch(1, 1)
        for row, spec in enumerate(method.inputs):
            words = QLabel(spec.name.replace("_", " ").capitalize())
            words.setToolTip(spec.help)
            combo = InputCombo(spec, bench)
            words.setBuddy(combo)
            grid.addWidget(words, row, 0)
            grid.addWidget(combo, row, 1)
            self._combos[spec.name] = combo
            combo.currentIndexChanged.connect(lambda _: self.changed.emit())
        self.refresh()

    def ids(self) -> dict[str, str]:
        """What is chosen, by input; an input without a choice is left out."""
        return {key: combo.currentData() for key, combo in self._combos.items() if combo.currentData()}

    def set_ids(self, chosen: Mapping[str, str]) -> None:
        before = self.ids()
        for key, combo in self._combos.items():
            combo.blockSignals(True)
            combo.setCurrentIndex(max(0, combo.findData(chosen.get(key, ""))))
            combo.blockSignals(False)
        if self.ids() != before:
            self.changed.emit()

    def refresh(self) -> None:
        """Offer what the project holds now; choices that still exist stay."""
        before = self.ids()
        entries = list(self.bench.project.entries.values())
        for spec in self.method.inputs:
            combo = self._combos[spec.name]
            fits = suitable(entries, spec.type)
            combo.blockSignals(True)
            combo.clear()
            if spec.optional:
                combo.addItem("None", "")
            elif not fits:
                combo.addItem(f"No {in_sentence(spec.type.title)} in the project", "")
            for entry in fits:
                combo.addItem(theme.icon(entry.type), entry.name, entry.id)
                combo.setItemData(combo.count() - 1, entry.summary, Qt.ItemDataRole.ToolTipRole)
            combo.setEnabled(bool(fits))
            combo.setCurrentIndex(max(0, combo.findData(before.get(spec.name, ""))))
            combo.blockSignals(False)
        if self.ids() != before:
            self.changed.emit()
