"""Renew what is generated and committed: schemas, the rules' index and pages, the examples' artefacts.

python scripts/golden.py           write
python scripts/golden.py --check   exit 1 when what is committed differs
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from servespec.schemas import report_text, spec_text

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ("rules.py", "golden_artefacts.py")
"""Further generators beside this file, each with the same two ways to be called."""


def schemas() -> dict[Path, str]:
    """The committed schemas and what they should say."""
    return {
        ROOT / "schema" / "servespec.v1.json": spec_text(),
        ROOT / "schema" / "report.v1.json": report_text(),
    }


def main() -> int:
    """Write or compare everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    stale = [
        path
        for path, text in schemas().items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    for path in stale:
        if options.check:
            print(f"not fresh: {path.relative_to(ROOT)}", file=sys.stderr)
        else:
            path.write_text(schemas()[path], encoding="utf-8")
    failed = bool(stale) and options.check
    for name in SCRIPTS:
        script = ROOT / "scripts" / name
        if script.is_file():
            command = [sys.executable, str(script), *(["--check"] if options.check else [])]
            failed |= subprocess.run(command, check=False).returncode != 0
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
