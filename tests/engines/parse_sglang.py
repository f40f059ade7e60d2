"""Runs in SGLang's own Python: reads an argv a line, answers what SGLang's parser makes of it.

The steps are those of sglang/srt/server_args.py, prepare_server_args, up to where it looks at the model.
"""

import argparse
import contextlib
import io
import json
import logging
import sys
import warnings

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)


from sglang.srt.server_args import ServerArgs  # noqa: E402
from sglang.srt.utils.server_args_config_parser import ConfigArgumentMerger  # noqa: E402


def answer(argv: list[str]) -> dict[str, object]:
    parser = argparse.ArgumentParser(prog="sglang", allow_abbrev="--abbreviations" in sys.argv)
    ServerArgs.add_cli_args(parser)
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors):
            if "--config" in argv:
                argv = ConfigArgumentMerger(parser).merge_config_with_args(argv)
            namespace = parser.parse_args(argv)
            ServerArgs.from_cli_args(namespace)
    except (SystemExit, Exception) as error:
        return {"ok": False, "error": errors.getvalue()[-500:] or repr(error)}
    values = {name: value for name, value in vars(namespace).items() if name != "config"}
    return {"ok": True, "values": {name: repr(value) for name, value in values.items()}}


def main() -> None:
    for line in sys.stdin:
        print("ANSWER " + json.dumps(answer(json.loads(line))), flush=True)


main()
