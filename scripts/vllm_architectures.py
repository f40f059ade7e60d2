"""Write servespec/engines/vllm/rules/architectures.json: which release of vLLM has a model of its own for which architecture.

    python scripts/vllm_architectures.py

Reads vllm/model_executor/models/registry.py out of every wheel on PyPI from 0.6.0 on, by HTTP range requests.
"""

from __future__ import annotations

import ast
import json
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "flags"))

from packages import RangeReader, Release, releases

from servespec.rules.versions import version_key

OUT = Path(__file__).resolve().parents[1] / "servespec" / "engines" / "vllm" / "rules" / "architectures.json"
REGISTRY = "vllm/model_executor/models/registry.py"
BEFORE = "vllm/model_executor/models/__init__.py"
"""Where the tables were up to 0.6.2."""
SINCE = "0.6.0"


def architectures(source: str) -> set[str]:
    """Keys of the module's tables of models (``_TEXT_GENERATION_MODELS`` and so on)."""
    found: set[str] = set()
    for node in ast.parse(source).body:
        name = value = None
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name, value = node.targets[0].id, node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name, value = node.target.id, node.value
        if name and name.endswith("_MODELS") and "PREVIOUSLY" not in name and isinstance(value, ast.Dict):
            found.update(key.value for key in value.keys if isinstance(key, ast.Constant))
    return found


def read(release: Release) -> tuple[str, set[str]]:
    """A release and its architectures."""
    with zipfile.ZipFile(RangeReader(release.url, release.size_bytes)) as wheel:
        name = REGISTRY if REGISTRY in wheel.namelist() else BEFORE
        return release.version, architectures(wheel.read(name).decode())


def rows(known: dict[str, set[str]]) -> list[tuple[str, str | None, str | None]]:
    """(architecture, first release, first release without it), by name; the last stretch of each.

    None for the first release: in the oldest already; for the other: still there.
    """
    versions = sorted(known, key=version_key)
    found = []
    for name in sorted(set().union(*known.values())):
        having = [number for number, version in enumerate(versions) if name in known[version]]
        last = having[-1]
        first = last
        while first > 0 and name in known[versions[first - 1]]:
            first -= 1
        since = None if first == 0 else versions[first]
        until = versions[last + 1] if last + 1 < len(versions) else None
        found.append((name, since, until))
    return found


def document(found: dict[str, list[str | None]], newest: str) -> str:
    """The file's text: one architecture a line."""
    head = {
        "source": f"{REGISTRY} of every release on PyPI, {SINCE} to {newest}",
        "columns": ["since", "until"],
    }
    lines = [f"{json.dumps(name)}: {json.dumps(stretch)}" for name, stretch in found.items()]
    start = json.dumps(head, indent=1).removesuffix("\n}")
    return f'{start},\n "architectures": {{\n' + ",\n".join(lines) + "\n }\n}\n"


def main() -> None:
    """Fetch and write."""
    with ThreadPoolExecutor(8) as pool:
        known = dict(pool.map(read, releases("vllm", SINCE)))
    newest = max(known, key=version_key)
    found = {name: [since, until] for name, since, until in rows(known)}
    OUT.write_text(document(found, newest), "utf-8")
    print(f"{len(found)} architectures, newest release {newest}")


if __name__ == "__main__":
    main()
