"""A stand-in for SGLang's compiled kernel package, which has no CPU wheel.

A plain run on a CPU imports names from it and calls none. Every name resolves to a function that refuses
to be called, so that imports work and nothing is silently wrong.
"""

from collections.abc import Callable
from typing import NoReturn

__version__ = "0+cpu.stand.in"


def __getattr__(name: str) -> Callable[..., NoReturn]:
    if name.startswith("__"):
        raise AttributeError(name)

    def refuse(*args: object, **kwargs: object) -> NoReturn:
        raise NotImplementedError(f"sgl_kernel.{name} is a compiled kernel; this is the stand-in for CPU")

    refuse.__name__ = name
    return refuse
