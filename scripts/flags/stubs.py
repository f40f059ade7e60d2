"""Import an engine's sources without its heavy dependencies.

Only the standard library, the engine's own sources and the packages in `REAL` are imported; every other name
is a stub that can be called, subclassed, subscripted and used as a type. A module of the engine that still
fails to import becomes a stub too and is recorded, so that a reader can refuse a result that rests on one.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.metadata
import importlib.util
import re
import sys
import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic_core import core_schema

REAL = frozenset(
    {"msgspec", "pydantic", "pydantic_core", "typing_extensions", "annotated_types", "typing_inspection"}
)
# Probes of hardware: a stub in their place would make an engine believe that the device is there.
ABSENT = frozenset(
    {
        "libtpu",
        "torch_xla",
        "torch_neuronx",
        "habana_frameworks",
        "amdsmi",
        "torch_npu",
        "intel_extension_for_pytorch",
    }
)


class StubType(type):
    """The class of all stubs: attributes, items and unions of a stub are stubs."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        stub = make_stub(f"{cls.__name__}.{name}")
        setattr(cls, name, stub)
        return stub

    def __getitem__(cls, item: Any) -> Any:
        return cls

    def __or__(cls, other: Any) -> Any:
        return typing.Union[cls, other]  # noqa: UP007

    __ror__ = __or__

    def __iter__(cls) -> Any:
        return iter(())

    def __len__(cls) -> int:
        return 0

    def __bool__(cls) -> bool:
        return False

    def __contains__(cls, item: object) -> bool:
        return False

    def __lt__(cls, other: object) -> bool:
        return False

    __gt__ = __le__ = __ge__ = __lt__

    def __add__(cls, other: object) -> Any:
        return cls

    def __neg__(cls) -> Any:
        return cls

    __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __floordiv__ = __add__

    def __int__(cls) -> int:
        return 0

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if cls.__dict__.get("_is_stub"):
            if len(args) == 1 and not kwargs and isinstance(args[0], (types.FunctionType, type)):
                return args[0]  # used as a decorator
            return cls
        return super().__call__(*args, **kwargs)

    def __enter__(cls) -> Any:
        return cls

    def __exit__(cls, *args: object) -> None:
        return None


def make_stub(name: str) -> Any:
    members = {
        "_is_stub": True,
        "__module__": "stub",
        "__init__": lambda self, *args, **kwargs: None,
        "__init_subclass__": classmethod(lambda cls, **kwargs: None),
        "__get_pydantic_core_schema__": classmethod(lambda cls, source, handler: core_schema.any_schema()),
    }
    return StubType(name, (), members)


class StubModule(types.ModuleType):
    """A module whose every attribute is a stub."""

    __path__: typing.ClassVar[list[str]] = []

    def __getattr__(self, name: str) -> Any:
        if name == "__version__":
            return "99.0.0"
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        stub = make_stub(f"{self.__name__}.{name}")
        setattr(self, name, stub)
        return stub


class StubFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Comes first on `sys.meta_path`: passes real modules on, loads the engine leniently, stubs the rest."""

    def __init__(self, package: str, sources: Path) -> None:
        self.package, self.sources = package, sources
        self.failed: dict[str, str] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        top = fullname.partition(".")[0]
        if top in sys.stdlib_module_names or top in REAL:
            return None
        if top in ABSENT:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        if top == self.package:
            spec = importlib.machinery.PathFinder.find_spec(fullname, path or [str(self.sources)])
            if spec is not None:
                if spec.origin:  # a namespace package has none, and no code to run
                    assert spec.loader is not None
                    spec.loader = _LenientLoader(spec.loader, self.failed)
                return spec
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return StubModule(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        return None


class _LenientLoader(importlib.abc.Loader):
    def __init__(self, loader: importlib.abc.Loader, failed: dict[str, str]) -> None:
        self.loader, self.failed = loader, failed

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: types.ModuleType) -> None:
        try:
            self.loader.exec_module(module)
        except Exception as error:
            self.failed[module.__name__] = f"{type(error).__name__}: {error}"[:200]

            def fallback(name: str) -> Any:
                if name.startswith("__") and name.endswith("__"):
                    raise AttributeError(name)
                return make_stub(f"{module.__name__}.{name}")

            module.__getattr__ = fallback  # type: ignore[method-assign]

    def get_source(self, fullname: str) -> str | None:
        """For `inspect.getsource`, which reads the attribute docstrings of vLLM's configuration classes."""
        return self.loader.get_source(fullname)  # type: ignore[attr-defined,no-any-return]

    def is_package(self, fullname: str) -> bool:
        return self.loader.is_package(fullname)  # type: ignore[attr-defined,no-any-return]


def install(package: str, sources: Path) -> StubFinder:
    """Make `package` importable from `sources` with everything heavy stubbed; call it in a fresh process."""
    finder = StubFinder(package, sources)
    real_version = importlib.metadata.version
    importlib.metadata.version = lambda name: real_version(name) if name in REAL else "99.0.0"
    sys.meta_path.insert(0, finder)
    sys.modules["regex"] = re  # the engines use only what `re` has too, at import
    return finder
