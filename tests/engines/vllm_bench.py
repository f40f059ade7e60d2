"""Runs ``vllm bench serve`` again and again in one process: its imports take longer than a run.

    python vllm_bench.py ARGUMENTS…

The arguments are those of the command. Each line of standard input is a seed; each answer is one line of JSON, what
the command would save, after the mark ``RESULT``.
"""

from __future__ import annotations

import asyncio
import json
import sys

from vllm.benchmarks.serve import add_cli_args, main_async
from vllm.utils.argparse_utils import FlexibleArgumentParser


def main() -> None:
    parser = FlexibleArgumentParser()
    add_cli_args(parser)
    print("READY", flush=True)
    for line in sys.stdin:
        args = parser.parse_args([*sys.argv[1:], "--seed", line.strip()])
        figures = asyncio.run(main_async(args))
        print(
            "RESULT", json.dumps({k: v for k, v in figures.items() if isinstance(v, int | float)}), flush=True
        )


if __name__ == "__main__":
    main()
