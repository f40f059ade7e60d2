"""Write servespec/engines/vllm/rules/lora.json: which of vLLM's models take no LoRA adapters, in the releases given.

    python scripts/vllm_lora.py WHEEL…

Reads the classes of vllm/model_executor/models and vllm/models out of wheels on disk (any platform's will do), without
importing them: a model takes adapters where SupportsLoRA is among its bases, or theirs.
"""

from __future__ import annotations

import ast
import json
import re
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from servespec.rules.versions import version_key

OUT = Path(__file__).resolve().parents[1] / "servespec" / "engines" / "vllm" / "rules" / "lora.json"
ROOTS = ("vllm/model_executor/models/", "vllm/models/")
REGISTRY = "vllm/model_executor/models/registry.py"
ROW = re.compile(r'"(\w+)":\s*\(\s*"[\w.]+",\s*"(\w+)",?\s*\)')
INTERFACE = "SupportsLoRA"


@dataclass(frozen=True)
class Model:
    """A class of a model: the names of its bases, and whether its body says supports_lora."""

    bases: tuple[str, ...]
    says_so: bool


def name_of(base: ast.expr) -> str:
    """A base class's own name."""
    if isinstance(base, ast.Attribute):
        return base.attr
    if isinstance(base, ast.Call):
        return name_of(base.func)
    return base.id if isinstance(base, ast.Name) else ""


def classes(source: str) -> dict[str, Model]:
    """Every class of a module."""
    return {
        node.name: Model(
            bases=tuple(map(name_of, node.bases)),
            says_so=any(
                isinstance(part, ast.Assign | ast.AnnAssign) and "supports_lora" in ast.dump(part)
                for part in node.body
            ),
        )
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ClassDef)
    }


def takes_adapters(name: str, known: dict[str, Model], seen: frozenset[str] = frozenset()) -> bool:
    """Whether the class, or one that it is made of, is SupportsLoRA."""
    if name == INTERFACE:
        return True
    model = known.get(name)
    if model is None or name in seen:
        return False
    return model.says_so or any(takes_adapters(base, known, seen | {name}) for base in model.bases)


def without_adapters(wheel: Path) -> set[str]:
    """The architectures of one release whose model takes no adapters."""
    known: dict[str, Model] = {}
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.startswith(ROOTS) and name.endswith(".py"):
                known |= classes(archive.read(name).decode())
        rows = ROW.findall(archive.read(REGISTRY).decode())
    return {architecture for architecture, name in rows if name in known and not takes_adapters(name, known)}


def document(found: dict[str, set[str]]) -> str:
    """The file's text: one architecture a line, with the releases whose model takes no adapters."""
    releases = sorted(found, key=version_key)
    names = sorted(set().union(*found.values()))
    lines = [f"{json.dumps(n)}: {json.dumps([r for r in releases if n in found[r]])}" for n in names]
    head = json.dumps(
        {"source": "classes of vLLM's models in the wheels of these releases", "releases": releases}
    )
    return f'{head.removesuffix("}")},\n "architectures": {{\n' + ",\n".join(lines) + "\n }\n}\n"


def main() -> int:
    """Read the wheels and write the file."""
    wheels = [Path(argument) for argument in sys.argv[1:]]
    found = {wheel.name.split("-")[1]: without_adapters(wheel) for wheel in wheels}
    OUT.write_text(document(found), "utf-8")
    print(f"{len(found)} releases")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
