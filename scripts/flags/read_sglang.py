"""Read the flags of `python -m sglang.launch_server` from a folder of SGLang's sources by running its parser.

Usage: python read_sglang.py SOURCES OUT.json [--real]
Run in a fresh process: the sources are imported with everything heavy stubbed (see stubs.py); with --real nothing
is stubbed, and the interpreter must have SGLang's dependencies (see compare.py).
"""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import re
import sys
import types
from pathlib import Path
from typing import Any

import stubs
from serialise import rows

ESSENTIAL = re.compile(
    r"sglang\.srt\.(server_args|arg_groups\.(arg_utils|argparse_actions|choices|fields(\..*)?|field_order)"
    r"|function_call(\..*)?|parser(\..*)?|reasoning_parser)"
)


def stub(sources: Path) -> dict[str, str]:
    """Stub what SGLang's parser does not need; returns what then failed to import."""
    failed = stubs.install("sglang", sources).failed
    # The package's own __init__ imports the whole front-end language; the parser needs none of it.
    top = types.ModuleType("sglang")
    top.__path__ = [str(sources / "sglang")]
    sys.modules["sglang"] = top
    # The parser looks at what torch was built for.
    torch: Any = importlib.import_module("torch")
    torch.version.cuda, torch.version.hip, torch.version.xpu = "13.0", None, None
    return failed


def main(sources: Path, out: Path, is_real: bool) -> None:
    logging.disable(logging.CRITICAL)
    sys.argv = ["sglang"]
    failed: dict[str, str] = {}
    if is_real:
        sys.path.insert(0, str(sources))
    else:
        failed = stub(sources)
    server_args: Any = importlib.import_module("sglang.srt.server_args").ServerArgs
    parser = argparse.ArgumentParser()
    server_args.add_cli_args(parser)
    found = rows(parser)
    if len(found) < 20:
        raise LookupError(f"only {len(found)} flags were registered: {failed}")
    broken = {name: why for name, why in failed.items() if ESSENTIAL.fullmatch(name)}
    result = {
        "flags": found,
        "syntax": {"underscores": False, "dotted": False, "dotted_lists": False, "serve_takes_model": True},
        "stubbed": broken,
    }
    out.write_text(json.dumps(result), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), "--real" in sys.argv[3:])
