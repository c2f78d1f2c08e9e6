"""The strip beside a 3D view: which layers are shown, and how the chosen one looks."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import (
    QCheckBox,
    QColorDialog,
    QComboBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSizePolicy,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from app import theme
from app.viewers import colour_maps
from app.viewers.overlay import number

if TYPE_CHECKING:
    from app.viewers.layer import Layer


def swatch(colour: str, size: int = 14) -> QIcon:
    made = QPixmap(size * 2, size * 2)
    made.fill(Qt.GlobalColor.transparent)
    painter = QPainter(made)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(QColor(colour))
    painter.setPen(QColor(theme.colors().strong))
    painter.drawRoundedRect(2, 2, size * 2 - 4, size * 2 - 4, 6, 6)
    painter.end()
    made.setDevicePixelRatio(2)
    return QIcon(made)


class ToldSlider(QWidget):
    """A slider, and beside it what it stands at."""

    def __init__(self, parent: QWidget, name: str, title: str, low: int, high: int) -> None:
        super().__init__(parent)
        self.slider = QSlider(Qt.Orientation.Horizontal, self)
        self.slider.setRange(low, high)
        self.slider.setObjectName(name)
        self.slider.setAccessibleName(title)
        self.value = QLabel(self)
        self.value.setFont(theme.font(0.92, numbers=True))
        self.value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.value.setMinimumWidth(44)
        theme.mark(self.value, tone="muted")
        across = QHBoxLayout(self)
        across.setContentsMargins(0, 0, 0, 0)
        across.setSpacing(4)
        across.addWidget(self.slider, 1)
        across.addWidget(self.value)

    def say(self, value: float, unit: str = "") -> None:
        self.value.setText(f"{number(value, 3)}{unit}")
        self.slider.setToolTip(f"{number(value)}{unit}")


class LayerPanel(QFrame):
    style_changed = Signal(str, object)
    """Layer id and its new Style."""
    resized = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("layer-panel")
        self.setAccessibleName("Layers")
        theme.mark(self, kind="box")
        self.setFixedWidth(240)
        self._layers: dict[str, Layer] = {}
        self._rows: list[tuple[str, str, type]] | None = None
        self._told: dict[QWidget, ToldSlider] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.setSpacing(6)
        self.list = QListWidget(self)
        self.list.setObjectName("layer-list")
        self.list.setAccessibleName("Layers of this view")
        self.list.setIconSize(QSize(16, 16))
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        self.list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        theme.mark(self.list, kind="page")
        self.list.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        column.addWidget(self.list)
        line = QFrame(self)
        theme.mark(line, kind="line")
        column.addWidget(line)
        self.form = QFormLayout()
        self.form.setContentsMargins(0, 2, 0, 0)
        self.form.setHorizontalSpacing(8)
        self.form.setVerticalSpacing(6)
        self.form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        self.form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        column.addLayout(self.form)
        self._make_fields()
        self.list.itemChanged.connect(self._toggled)
        self.list.currentItemChanged.connect(lambda *_: self._show_current())
        theme.signals.changed.connect(self._refresh)

    # ---- fields ---
    def _make_fields(self) -> None:
        self.quantity = self._combo("quantity", "Quantity")
        self.quantity.activated.connect(
            lambda _: self._set(quantity=self.quantity.currentData(), low=None, high=None, cmap="")
        )
        self.by = self._combo("by", "Colour by")
        self.by.activated.connect(lambda _: self._set(by=self.by.currentData(), low=None, high=None, cmap=""))
        self.cmap = self._combo("cmap", "Colour map")
        for key, title in colour_maps.MAPS.items():
            self.cmap.addItem(title, key)
        self.cmap.activated.connect(lambda _: self._set(cmap=self.cmap.currentData()))
        self.low, self.high = QLineEdit(self), QLineEdit(self)
        row = QWidget(self)
        across = QHBoxLayout(row)
        across.setContentsMargins(0, 0, 0, 0)
        across.setSpacing(4)
        for edit, name in ((self.low, "Lowest value"), (self.high, "Highest value")):
            edit.setAccessibleName(name)
            edit.setObjectName(f"layer-{name.split()[0].lower()}")
            edit.setToolTip(f"{name} of the colour map. Leave empty for automatic.")
            edit.setFont(theme.tabular(edit.font()))
            across.addWidget(edit)
        self.low.editingFinished.connect(lambda: self._range_edited("low", self.low))
        self.high.editingFinished.connect(lambda: self._range_edited("high", self.high))
        self.range = row
        self.form.addRow("Range", row)
        self.color = QPushButton(self)
        self.color.setObjectName("layer-color")
        self.color.setAccessibleName("Colour of the layer")
        self.color.clicked.connect(self._ask_colour)
        self.form.addRow("Colour", self.color)
        self.level = self._slider("level", "Level", 0, 1000)
        self.level.valueChanged.connect(lambda v: self._set(level=self._level_of(v)))
        self.opacity = self._slider("opacity", "Opacity", 5, 100)
        self.opacity.valueChanged.connect(lambda v: self._set(opacity=v / 100))
        self.line_width = self._slider("line-width", "Thickness", 1, 12)
        self.line_width.valueChanged.connect(lambda v: self._set(line_width=float(v)))
        self.point_size = self._slider("point-size", "Point size", 1, 20)
        self.point_size.valueChanged.connect(lambda v: self._set(point_size=float(v)))
        self.rise = self._slider("height", "Height", 0, 200)
        self.rise.valueChanged.connect(lambda v: self._set(height=10 ** ((v - 100) / 50)))
        self.cuts = QWidget(self)
        cuts = QVBoxLayout(self.cuts)
        cuts.setContentsMargins(0, 0, 0, 0)
        self.cut_sliders = {}
        for axis in "xyz":
            row = ToldSlider(self.cuts, f"layer-cut-{axis}", f"Plane across {axis}", 0, 200)
            made = row.slider
            made.valueChanged.connect(lambda v, axis=axis: self._set(**{f"cut_{axis}": v / 200}))
            cuts.addWidget(row)
            self.cut_sliders[f"cut_{axis}"] = made
            self._told[made] = row
        self.form.addRow("Across x, y, z", self.cuts)
        self.arrows = self._check("arrows", "Arrows")
        self.arrows.toggled.connect(lambda on: self._set(arrows=on))
        self.planes = self._check("planes", "Planes across")
        self.planes.setToolTip("The values on three planes instead of a surface.")
        self.planes.toggled.connect(lambda on: self._set(planes=on))
        self.volume = self._check("volume", "Volume rendering")
        self.volume.setToolTip(
            "All values as a translucent cloud instead of one surface; slow without a graphics card."
        )
        self.volume.toggled.connect(lambda on: self._set(volume=on))
        self.wireframe = self._check("wireframe", "Wireframe")
        self.wireframe.toggled.connect(lambda on: self._set(wireframe=on))
        self.flat = self._check("flat", "Flat shading")
        self.flat.toggled.connect(lambda on: self._set(flat=on))
        self._fields: dict[str, QWidget] = {
            "by": self.by, "color": self.color, "level": self.level, "opacity": self.opacity, "flat": self.flat,
            "line_width": self.line_width, "point_size": self.point_size, "wireframe": self.wireframe,
            "volume": self.volume, "quantity": self.quantity, "height": self.rise, "cuts": self.cuts,
            "arrows": self.arrows, "planes": self.planes,
        }  # fmt: skip

    def _combo(self, name: str, title: str) -> QComboBox:
        made = QComboBox(self)
        made.setObjectName(f"layer-{name}")
        made.setAccessibleName(title)
        made.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        made.setMinimumContentsLength(9)
        made.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.form.addRow(title, made)
        return made

    def _slider(self, name: str, title: str, low: int, high: int) -> QSlider:
        row = ToldSlider(self, f"layer-{name}", title, low, high)
        self.form.addRow(title, row)
        self._told[row.slider] = row
        return row.slider

    def _check(self, name: str, title: str) -> QCheckBox:
        made = QCheckBox(title, self)
        made.setObjectName(f"layer-{name}")
        made.setAccessibleName(title)
        self.form.addRow(made)
        return made

    # ---- content ---
    def set_layers(self, layers: dict[str, Layer]) -> None:
        chosen = self.current_id
        before, self._rows = self._rows, [(layer.id, layer.name, type(layer)) for layer in layers.values()]
        self._layers = layers
        if before == self._rows:
            # A live preview: leave the lists that the user may have open just now.
            self._refresh()
            if self.current is not None and self.by.count() != len(self.current.colourings()):
                self._show_current()
            return
        with QSignalBlocker(self.list):
            self.list.clear()
            for layer in layers.values():
                item = QListWidgetItem(layer.name)
                item.setData(Qt.ItemDataRole.UserRole, layer.id)
                item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
                self.list.addItem(item)
        self._refresh()
        rows = list(layers)
        self.list.setCurrentRow(rows.index(chosen) if chosen in rows else 0 if rows else -1)
        self._show_current()

    def resizeEvent(self, event) -> None:
        super().resizeEvent(event)
        self.resized.emit()

    def fit_height(self, room: int) -> None:
        """As many rows as ``room`` pixels for the whole panel leave, from 2 to 12."""
        self.adjustSize()
        row = max(self.list.sizeHintForRow(0), 24)
        rows = (room - (self.sizeHint().height() - self.list.height()) - 6) // row
        height = row * max(1, min(self.list.count(), max(2, min(rows, 12)))) + 6
        if height != self.list.height():
            self.list.setFixedHeight(height)
        self.adjustSize()

    def follow(self, key: str) -> None:
        """A layer's style was changed elsewhere."""
        self._refresh()
        if key == self.current_id:
            self._show_current()

    def _refresh(self) -> None:
        with QSignalBlocker(self.list):
            for row in range(self.list.count()):
                item = self.list.item(row)
                layer = self._layers.get(item.data(Qt.ItemDataRole.UserRole))
                if layer is not None:
                    item.setCheckState(Qt.CheckState.Checked if layer.style.visible else Qt.CheckState.Unchecked)
                    item.setIcon(theme.icon(layer.icon) if layer.style.by else swatch(layer.base_colour))
                    item.setToolTip(f"{layer.name}\n{layer.artifact.summary()}")

    @property
    def current_id(self) -> str:
        item = self.list.currentItem()
        return str(item.data(Qt.ItemDataRole.UserRole)) if item is not None else ""

    @property
    def current(self) -> Layer | None:
        return self._layers.get(self.current_id)

    def _show_current(self) -> None:
        layer = self.current
        uses = layer.uses if layer is not None else ()
        fields = [*self._fields.values(), *self.cut_sliders.values(), self.cmap, self.low, self.high]
        blocks = [QSignalBlocker(field) for field in fields]
        for name, field in self._fields.items():
            self.form.setRowVisible(self._told.get(field, field), name in uses)
        mapped = layer is not None and bool(layer.scalar)
        self.form.setRowVisible(self.cmap, mapped)
        self.form.setRowVisible(self.range, mapped)
        if layer is not None:
            self._fill(layer)
        del blocks
        self.adjustSize()

    def _fill(self, layer: Layer) -> None:
        style = layer.style
        self.by.clear()
        for key, title in layer.colourings():
            self.by.addItem(title, key)
        self.by.setCurrentIndex(max(0, self.by.findData(style.by)))
        self.form.setRowVisible(self.color, "color" in layer.uses and not style.by)
        self.form.setRowVisible(self.by, "by" in layer.uses and self.by.count() > 1)
        self.cmap.setCurrentIndex(max(0, self.cmap.findData(layer.cmap)))
        for edit, value in zip((self.low, self.high), layer.value_range, strict=True):
            edit.setText(number(value, 3).replace("−", "-"))
            edit.setCursorPosition(0)  # the sign is to be seen, whatever there is room for
        self.color.setIcon(swatch(layer.base_colour))
        self.color.setText(layer.base_colour.upper())
        self.opacity.setValue(round(style.opacity * 100))
        self.line_width.setValue(round(style.line_width))
        self.point_size.setValue(round(style.point_size))
        self.volume.setChecked(style.volume)
        self._fill_field(layer)
        self.wireframe.setChecked(style.wireframe)
        self.flat.setChecked(style.flat)
        if "level" in layer.uses:
            low, high = layer.level_range  # type: ignore[attr-defined]
            self.level.setValue(round(1000 * (_level(layer) - low) / (high - low)))
        self._tell(layer)

    def _tell(self, layer: Layer) -> None:
        """What each slider stands at."""
        style = layer.style
        self._told[self.opacity].say(100 * style.opacity, " %")
        self._told[self.line_width].say(style.line_width)
        self._told[self.point_size].say(style.point_size)
        self._told[self.rise].say(style.height, " ×")
        if "level" in layer.uses:
            self._told[self.level].say(_level(layer))
        if "cuts" in layer.uses:
            for slider, place in zip(self.cut_sliders.values(), layer.cuts, strict=True):  # type: ignore[attr-defined]
                self._told[slider].say(place)

    def _fill_field(self, layer: Layer) -> None:
        """What layers of fields have besides."""
        style = layer.style
        self.arrows.setChecked(style.arrows)
        self.planes.setChecked(style.planes)
        for name, slider in self.cut_sliders.items():
            slider.setValue(round(200 * getattr(style, name)))
        if "height" in layer.uses:
            self.form.labelForField(self._told[self.rise]).setText(layer.height_title)  # type: ignore[attr-defined]
            self.rise.setValue(round(100 + 50 * math.log10(max(style.height, 1e-2))))
        if "quantity" in layer.uses:
            quantities = layer.quantities  # type: ignore[attr-defined]
            self.quantity.clear()
            for quantity in quantities:
                self.quantity.addItem(quantity.title, quantity.key)
            self.quantity.setCurrentIndex(max(0, self.quantity.findData(layer.quantity.key)))  # type: ignore[attr-defined]
            self.form.setRowVisible(self.quantity, len(quantities) > 1)

    # ---- edits ---
    def _set(self, **changes: Any) -> None:
        layer = self.current
        if layer is None:
            return
        style = replace(layer.style, **changes)
        if style != layer.style:
            self.style_changed.emit(layer.id, style)
            self._refresh()
            if changes.keys() & {"by", "cmap", "color", "low", "high", "volume", "quantity", "planes"}:
                self._show_current()
            self._tell(layer)

    def _level_of(self, place: int) -> float:
        low, high = self.current.level_range  # type: ignore[union-attr]
        return low + (high - low) * place / 1000

    def _range_edited(self, end: str, edit: QLineEdit) -> None:
        text = edit.text().strip().replace("−", "-").replace(",", ".")
        try:
            value = float(text) if text else None
        except ValueError:
            value = None
        layer = self.current
        if layer is not None and not edit.isModified():
            return
        self._set(**{end: value if value is None or math.isfinite(value) else None})
        edit.setModified(False)

    def _toggled(self, item: QListWidgetItem) -> None:
        layer = self._layers.get(item.data(Qt.ItemDataRole.UserRole))
        on = item.checkState() == Qt.CheckState.Checked
        if layer is not None and layer.style.visible != on:
            self.style_changed.emit(layer.id, replace(layer.style, visible=on))

    def _ask_colour(self) -> None:
        layer = self.current
        if layer is None:
            return
        chosen = QColorDialog.getColor(QColor(layer.base_colour), self, f"Colour of {layer.name}")
        if chosen.isValid():
            self._set(color=chosen.name())


def _level(layer: Layer) -> float:
    """Of the surface of a layer that has one."""
    return float(layer.level if layer.style.level is None else layer.style.level)  # type: ignore[attr-defined]
