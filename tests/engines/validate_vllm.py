"""Runs in vLLM's own Python: reads {"argv", "env"} a line, answers whether vLLM's own validation goes on.

The steps are those of `vllm serve` up to where it would start the engine: the parser, the checks of
vllm/entrypoints/cli/serve.py and the whole configuration (AsyncEngineArgs.create_engine_config).
"""

import contextlib
import io
import json
import logging
import os
import sys

os.environ.setdefault("VLLM_LOGGING_LEVEL", "CRITICAL")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import vllm.entrypoints.cli.serve as serve
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.usage.usage_lib import UsageContext
from vllm.utils.argparse_utils import FlexibleArgumentParser

logging.disable(logging.CRITICAL)


def answer(argv: list[str]) -> dict[str, object]:
    """Parse, validate and configure as the command would; never start."""
    parser = FlexibleArgumentParser(description="vLLM CLI")
    subparsers = parser.add_subparsers(required=False, dest="subparser")
    (command,) = serve.cmd_init()
    command.subparser_init(subparsers).set_defaults(dispatch_function=command.cmd)
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(errors):
            namespace = parser.parse_args(argv)
            command.validate(namespace)
            if namespace.model_tag is not None:
                namespace.model = namespace.model_tag
            AsyncEngineArgs.from_cli_args(namespace).create_engine_config(UsageContext.OPENAI_API_SERVER)
    except SystemExit:
        return {"ok": False, "error": errors.getvalue()[-2000:]}
    except Exception as error:
        return {"ok": False, "error": f"{type(error).__name__}: {error}"}
    return {"ok": True}


def main() -> None:
    for line in sys.stdin:
        asked = json.loads(line)
        before = dict(os.environ)
        os.environ.update(asked["env"])
        try:
            print("ANSWER " + json.dumps(answer(asked["argv"])), flush=True)
        finally:
            os.environ.clear()
            os.environ.update(before)


main()
