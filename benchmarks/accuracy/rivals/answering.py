"""What every adapter shares: questions in, answers out. Runs inside a rival's environment: standard library only."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

GIB = 1024**3
HUB = "https://huggingface.co"


def answer_all(answer: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Answer each line of stdin on stdout; an exception is an answer too: none, and the rival's reason.

    What a rival prints goes to stderr, so that it cannot be taken for an answer.
    """
    out, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        question = json.loads(line)
        try:
            found = answer(question)
        except (Exception, SystemExit) as reason:
            found = {"reason": f"{type(reason).__name__}: {reason}"[:300]}
        print(json.dumps({"id": question["id"], **found}), file=out, flush=True)
