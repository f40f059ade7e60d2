"""Renew the artefacts of the examples under tests/golden/examples, and those of the example repository.

python scripts/golden_artefacts.py           write
python scripts/golden_artefacts.py --check   exit 1 when what is committed differs
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from ruamel.yaml import YAML

from servespec.render.request import make
from servespec.spec import load

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = ROOT / "tests" / "golden" / "examples"
REPOSITORY = ROOT / "examples" / "infra-repo"
IN_EVERY_FORMAT = ("tiny-cpu", "three-engines", "llama-production", "deepseek-v3-2x8xh200")
"""Examples whose artefacts are kept in all formats; of the others these two say enough."""
FORMATS = ("compose", "shell")
NOT_RENDERED = ("does-not-fit",)


def artefacts() -> dict[Path, str]:
    """Every golden file and its text. The header names the spec by its file alone."""
    os.chdir(ROOT)
    files: dict[Path, str] = {}
    for spec in sorted(Path("examples").glob("*.yaml")):
        if spec.stem in NOT_RENDERED:
            continue
        made = make(load(spec), formats=("all",) if spec.stem in IN_EVERY_FORMAT else FORMATS)
        if made.is_refused:
            raise SystemExit(f"{spec} is refused:\n{made.report}")
        files |= {GOLDEN / spec.stem / artefact.path: artefact.text for artefact in made.artefacts}
    return files | of_the_repository()


def of_the_repository() -> dict[Path, str]:
    """What the example repository has under ``deploy/``: each hook of its pre-commit configuration names some."""
    os.chdir(REPOSITORY)
    files: dict[Path, str] = {}
    options = argparse.ArgumentParser()
    options.add_argument("spec")
    options.add_argument("--format", action="append")
    options.add_argument("--output", type=Path)
    for hook in YAML(typ="safe").load(Path(".pre-commit-config.yaml"))["repos"][0]["hooks"]:
        if hook["id"] == "servespec-render-check":
            wanted = options.parse_args(hook["args"])
            made = make(load(wanted.spec), formats=wanted.format, folder=wanted.output)
            files |= {
                REPOSITORY / wanted.output / artefact.path: artefact.text for artefact in made.artefacts
            }
    return files


def main() -> int:
    """Write or compare every golden file; files that no example makes are removed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    files = artefacts()
    stale = [path for path, text in files.items() if not path.is_file() or path.read_text("utf-8") != text]
    extra = [path for path in GOLDEN.rglob("*") if path.is_file() and path not in files]
    if options.check:
        for path in (*stale, *extra):
            print(f"not fresh: {path.relative_to(ROOT)}", file=sys.stderr)
        return 1 if stale or extra else 0
    for path in extra:
        path.unlink()
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files[path], "utf-8", newline="\n")
    print(f"{len(files)} artefacts, {len(stale)} written, {len(extra)} removed")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
