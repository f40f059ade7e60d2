"""Runs in vLLM's own Python: reads {"argv": [...]} or {"config": PATH} a line, answers what vLLM's parser makes of it."""

import contextlib
import io
import json
import os
import sys

os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")

import vllm.entrypoints.cli.serve as serve
from vllm.utils.argparse_utils import FlexibleArgumentParser


def build() -> FlexibleArgumentParser:
    """The two-level parser of vllm/entrypoints/cli/main.py with the one subcommand that is asked for."""
    parser = FlexibleArgumentParser(description="vLLM CLI")
    subparsers = parser.add_subparsers(required=False, dest="subparser")
    for command in serve.cmd_init():
        command.subparser_init(subparsers).set_defaults(dispatch_function=command.cmd)
    return parser


def answer(parser: FlexibleArgumentParser, argv: list[str]) -> dict[str, object]:
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors):
            namespace = parser.parse_args(argv)
    except (SystemExit, Exception) as error:
        return {"ok": False, "error": errors.getvalue()[-500:] or repr(error)}
    values = {
        name: value for name, value in vars(namespace).items() if name not in ("dispatch_function", "config")
    }
    return {"ok": True, "values": {name: repr(value) for name, value in values.items()}}


def main() -> None:
    for line in sys.stdin:
        print("ANSWER " + json.dumps(answer(build(), json.loads(line))), flush=True)


main()
