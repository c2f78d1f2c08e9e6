#!/usr/bin/env bash
# Open the workbench on the sample and reconstruct it. Without a screen the same happens on a
# virtual one, and the project, the mesh and a screenshot are left in out/.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
    exec .venv/bin/fieldwright --sample cortex
fi
mkdir -p out
xvfb-run -a -s "-screen 0 1600x1000x24" .venv/bin/fieldwright --sample cortex --auto out
ls -l out/cortex.fieldwright out/cortex.ply out/cortex.png
