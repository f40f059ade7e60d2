"""Write servespec/engines/sglang/architectures.json: which releases of SGLang, of those given, have a model for what.

    python scripts/sglang_architectures.py WHEEL…

Reads EntryClass of every module under sglang/srt/models out of wheels on disk, without importing them.
"""

from __future__ import annotations

import ast
import json
import sys
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from servespec.rules.versions import version_key

OUT = Path(__file__).resolve().parents[1] / "servespec" / "engines" / "sglang" / "architectures.json"
MODELS = "sglang/srt/models/"


def entries(source: str) -> set[str]:
    """The classes that a module offers as models."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "EntryClass" for target in node.targets
        ):
            found.update(part.id for part in ast.walk(node.value) if isinstance(part, ast.Name))
    return found


def architectures(wheel: Path) -> set[str]:
    """Every architecture that one release has a model for."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.startswith(MODELS) and name.endswith(".py")]
        return set().union(*(entries(archive.read(name).decode("utf-8-sig")) for name in names))


def document(found: dict[str, set[str]]) -> str:
    """The file's text: one architecture a line, with the releases that have it."""
    releases = sorted(found, key=version_key)
    lines = [
        f"{json.dumps(name)}: {json.dumps([release for release in releases if name in found[release]])}"
        for name in sorted(set().union(*found.values()))
    ]
    source = f"EntryClass of {MODELS}*.py in the wheels of these releases"
    head = json.dumps({"source": source, "releases": releases})
    return f'{head.removesuffix("}")},\n "architectures": {{\n' + ",\n".join(lines) + "\n }\n}\n"


def main() -> int:
    """Read the wheels and write the file."""
    wheels = [Path(argument) for argument in sys.argv[1:]]
    found = {wheel.name.split("-")[1]: architectures(wheel) for wheel in wheels}
    OUT.write_text(document(found), "utf-8")
    print(f"{len(found)} releases, {len(set().union(*found.values()))} architectures")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
