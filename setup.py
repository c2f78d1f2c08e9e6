"""The one compiled part: the CPU rasteriser of Gaussians. Where no compiler is at hand its plain twin is used."""

import sys

from setuptools import Extension, setup

# -ffast-math for compiling alone: given to the linker too, it would change how the whole process rounds.
COMPILE = {
    "win32": ["/std:c++20", "/O2", "/fp:fast", "/openmp:llvm"],
    "darwin": ["-std=c++20", "-O3", "-ffast-math"],
}.get(sys.platform, ["-std=c++20", "-O3", "-ffast-math", "-fopenmp", "-fvisibility=hidden"])
LINK = {"win32": [], "darwin": []}.get(sys.platform, ["-fopenmp"])

setup(
    ext_modules=[
        Extension(
            "engines.blocks.splatting.kernels",
            ["engines/blocks/splatting/kernels.cpp"],
            language="c++",
            extra_compile_args=COMPILE,
            extra_link_args=LINK,
            optional=True,
        )
    ]
)
