"""Engines run on a bare machine: no window library, and what is heavy only where it is needed."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WINDOW = {"PySide6", "PyQt5", "PyQt6", "pyqtgraph", "pyvistaqt", "qtpy", "superqt", "qtawesome", "tkinter"}
HEAVY = {"open3d", "trimesh", "pyvista", "vtk", "ray", "matplotlib"}
FILES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "engines").rglob("*.py"))


def imported(tree: ast.AST, inside_functions: bool) -> set[str]:
    found: set[str] = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
        function = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        only_types = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        if only_types or (function and not inside_functions):
            continue
        found |= imported(node, inside_functions)
    return found


@pytest.mark.parametrize("path", FILES)
def test_no_engine_knows_a_window_and_none_imports_heavy_things_at_once(path):
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    assert not imported(tree, True) & WINDOW
    if not path.startswith("engines/files/"):
        assert not imported(tree, False) & HEAVY


def test_the_catalog_is_found_without_any_of_them():
    code = (
        "import sys\n"
        "from engines.core import catalog\n"
        "assert len(catalog()) and not catalog().broken\n"
        f"print(sorted(({WINDOW!r} | {HEAVY!r}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[]", done.stderr
