"""The compiled parts, for the CPU. Where no compiler is at hand their plain twins are used."""

import glob
import sys

from setuptools import Extension, setup

COMPILE = {
    "win32": ["/std:c++20", "/O2", "/openmp:llvm"],
    "darwin": ["-std=c++20", "-O3"],
}.get(sys.platform, ["-std=c++20", "-O3", "-fopenmp", "-fvisibility=hidden"])
# Gaussians: -ffast-math for compiling alone: given to the linker too, it would change how the whole process rounds.
FAST = ["/fp:fast"] if sys.platform == "win32" else ["-ffast-math"]
# Meshes, transport: two triangles at one edge have to round alike, and ties have to be found.
EXACT = ["/fp:precise"] if sys.platform == "win32" else ["-ffp-contract=off"]
# Activations: loops with choices become vectors only if nobody waits for signals of faults.
QUIET = ["/fp:precise"] if sys.platform == "win32" else ["-fno-trapping-math", "-ffp-contract=fast"]
LINK = {"win32": [], "darwin": []}.get(sys.platform, ["-fopenmp"])

setup(
    ext_modules=[
        Extension(
            f"engines.blocks.{package}.kernels",
            sorted(glob.glob(f"engines/blocks/{package}/*.cpp")),
            language="c++",
            extra_compile_args=COMPILE + rounding,
            extra_link_args=LINK,
            optional=True,
        )
        for package, rounding in (("activations", QUIET), ("splatting", FAST), ("meshes", EXACT), ("transport", EXACT))
    ]
)
