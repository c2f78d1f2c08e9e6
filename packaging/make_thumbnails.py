"""Make the pictures of the sources that New dataset shows, ``assets/methods/<key>.png``.

xvfb-run -a -s "-screen 0 1600x1000x24" python packaging/make_thumbnails.py [keys]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
FOLDER = ROOT / "assets" / "methods"
WIDTH, HEIGHT = 180, 120
SOLVER = "method-of-lines"
"""Gives the fields of problems in time whose exact solution is not known."""


def of_problem(problem: object) -> np.ndarray | None:
    """(H, W, 3) the solution: the last time of a plane, time across for a line; None where nothing gives it."""
    from app.viewers.field_colours import pixels, span
    from engines.blocks.pde.comparison import exact_field
    from engines.core import Run, catalog
    from engines.data import SampledField

    space = [problem.coordinates.index(name) for name in problem.space]
    axes = [np.linspace(problem.lower[k], problem.upper[k], 2 * WIDTH) for k in space]
    when = problem.coordinates.index(problem.time) if problem.time else None
    times = np.zeros(1) if when is None else np.linspace(problem.lower[when], problem.upper[when], 2 * WIDTH)
    times = times[[len(times) * 3 // 5]] if when is not None and len(space) > 1 else times
    blank = np.zeros((len(times), len(problem.unknowns), *(len(a) for a in axes)))
    field = exact_field(SampledField.of(blank, *axes, times=times, components=problem.unknowns), problem)
    if field is None:
        method = catalog().get(SOLVER)
        params = method.params.parse({"nodes": (801,) if len(space) == 1 else (101,)})
        field = method.run({"problem": problem}, params, Run())["field"]
    if field.dimensions == 1 and len(field.times) == 1:
        return curve(field.x, field.component(0))
    flow = field.values[-1]
    values = field.values[:, 0, :, 0, 0] if field.dimensions == 1 else speed(flow) if field.vectors else flow[0, ..., 0]
    right, up = (values.shape[0], values.shape[1])
    columns = np.linspace(0, right - 1, WIDTH).round().astype(int)
    rows = np.linspace(up - 1, 0, HEIGHT).round().astype(int)
    shown = np.asarray(values, float)[np.ix_(columns, rows)]
    return np.asarray(pixels(shown, *span(shown)))[..., :3]


def speed(flow: np.ndarray) -> np.ndarray:
    """The first component crossed with the second shows what turns where."""
    u, v = flow[0, ..., 0], flow[1, ..., 0]
    return np.gradient(v, axis=0) - np.gradient(u, axis=1)


def curve(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    from PySide6.QtCore import QPointF, Qt
    from PySide6.QtGui import QColor, QImage, QPainter, QPen, QPolygonF

    from app import theme
    from app.viewers.plotting import pixels

    image = QImage(WIDTH, HEIGHT, QImage.Format.Format_RGB888)
    image.fill(QColor("#ffffff"))
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(QColor(theme.series_color(0)), 2.0, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
    shown = x <= x[0] + 0.35 * np.ptp(x)  # all of the waves would be a bar
    x, y = x[shown], y[shown]
    across = 10 + (WIDTH - 20) * (x - x[0]) / np.ptp(x)
    height = HEIGHT / 2 - (HEIGHT / 2 - 14) * y / np.abs(y).max()
    painter.drawPolyline(QPolygonF([QPointF(a, b) for a, b in zip(across, height, strict=True)]))
    painter.end()
    return pixels(image)


def of_view(outputs: dict) -> np.ndarray | None:
    """What the first fitting viewer shows of the first result."""
    from PySide6.QtCore import QEventLoop, QTimer

    from app.viewers.registry import Shown, create, viewers_for

    artifact = next(reversed(outputs.values()))
    found = [spec for spec in viewers_for(type(artifact)) if spec.key in ("hand", "scene", "photos", "problem")]
    if not found:
        return None
    viewer = create(found[0].key)
    viewer.resize(900, 600)
    viewer.show()
    viewer.show_artifacts([Shown("a", "a", artifact)])
    loop = QEventLoop()
    QTimer.singleShot(2500, loop.quit)
    loop.exec()
    shown = viewer.screenshot(2 * WIDTH, 2 * HEIGHT)
    viewer.close()
    return np.asarray(shown[..., :3].reshape(HEIGHT, 2, WIDTH, 2, 3).mean((1, 3)), np.uint8)


def main() -> None:
    from PIL import Image
    from PySide6.QtWidgets import QApplication

    app = QApplication([sys.argv[0]])
    from transport_thumbnails import of_transport  # it lies beside this script

    from app import theme
    from engines.core import Run, UserError, catalog
    from engines.data import Problem

    theme.apply(app, "light")
    wanted = set(sys.argv[1:])
    for method in catalog():
        if method.role != "source" or (wanted and method.key not in wanted):
            continue
        try:
            whole = method.family in ("pde", "transport")
            outputs = method.run({}, method.params() if whole else method.params.parse(method.smoke.params), Run())
            artifact = next(iter(outputs.values()))
            picture = of_problem(artifact) if isinstance(artifact, Problem) else of_transport(outputs, WIDTH, HEIGHT)
            picture = of_view(outputs) if picture is None and not isinstance(artifact, Problem) else picture
        except (UserError, KeyError) as error:
            print(f"{method.key}: {error}")
            continue
        if picture is not None:
            Image.fromarray(picture).save(FOLDER / f"{method.key}.png", optimize=True)
            print(f"{method.key}: {picture.shape}")


if __name__ == "__main__":
    main()
