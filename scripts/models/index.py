"""Renew servespec/models/families/index.json from what the family modules declare."""

from __future__ import annotations

import json
import pkgutil
from importlib import import_module
from pathlib import Path

from servespec.models import families

OUT = Path(families.__file__).parent / "index.json"


def index() -> str:
    """The index as the text of the file."""
    found: dict[str, dict[str, str]] = {"architectures": {}, "model_types": {}}
    for info in pkgutil.iter_modules(families.__path__):
        module = import_module(f"{families.__name__}.{info.name}")
        for key, attribute in (("architectures", "ARCHITECTURES"), ("model_types", "MODEL_TYPES")):
            for name in getattr(module, attribute, ()):
                other = found[key].setdefault(name, info.name)
                if other != info.name:
                    raise SystemExit(f"{name} is declared by {other} and by {info.name}")
    return json.dumps(found, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    OUT.write_text(index(), encoding="utf-8")
