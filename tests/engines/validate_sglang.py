"""Runs in SGLang's own Python: reads {"argv", "env"} a line, answers whether SGLang's own validation goes on.

The steps are those of sglang/srt/entrypoints/engine.py, _launch_subprocesses, up to where it would start
processes: the parser, all that ServerArgs resolves by itself, and check_server_args.
"""

import contextlib
import io
import json
import logging
import os
import sys
import warnings

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from sglang.srt.server_args import prepare_server_args  # noqa: E402


def answer(argv: list[str]) -> dict[str, object]:
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(errors):
            arguments = prepare_server_args(argv)
            arguments.resolve_once()
            arguments.check_server_args()
    except SystemExit:
        return {"ok": False, "error": errors.getvalue()[-2000:]}
    except BaseException as error:
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
