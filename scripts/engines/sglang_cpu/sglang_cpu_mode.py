"""Put SGLang in its own CPU mode; loaded at interpreter start by a .pth file beside it.

Nothing heavy is imported here: what needs doing is done just before the module that needs it is imported.
"""

import os
import sys
from importlib.machinery import ModuleSpec

os.environ.setdefault("SGLANG_USE_CPU_ENGINE", "1")  # SGLang's own switch for its CPU code paths


def _declare_torchvision_operators() -> None:
    """Give torchvision the operator schemas that its CUDA-built library would have registered.

    The PyPI wheel of torchvision cannot load that library beside a CPU torch, and then fails to import
    because it registers shape functions for operators that nobody declared.
    """
    import torch

    library = torch.library.Library("torchvision", "DEF")
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    sys.modules[__name__]._library = library  # the schemas live as long as this object


_PENDING = {"torchvision._meta_registrations": _declare_torchvision_operators}


class _BeforeImport:
    """A finder that finds nothing and prepares the ground for the one module that needs it."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        prepare = _PENDING.pop(name, None)
        if prepare is not None:
            prepare()
        return None


sys.meta_path.insert(0, _BeforeImport)
