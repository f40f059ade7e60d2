"""Many files at once, where it pays: each process loads and checks a share of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import chain

from servespec.check import Options, check_file
from servespec.recall import Recall
from servespec.report.model import CheckReport, FileReport

WORTH_WHILE = 1500
"""Files from which on further processes pay: each takes a quarter of a second to start, and works out for itself what
one process would work out once for all files."""
_SHARE = 500
"""Files that a process takes at a time."""


def check_paths(paths: Sequence[str], options: Options, processes: int | None = None) -> CheckReport:
    """Check files in the order given, in several processes where there are many files and processors."""
    if processes is None:
        processes = min(os.cpu_count() or 1, len(paths) // _SHARE) if len(paths) >= WORTH_WHILE else 1
    if processes < 2:
        return CheckReport(files=_check(paths, options))
    from concurrent.futures import ProcessPoolExecutor
    from functools import partial

    size = min(_SHARE, -(-len(paths) // processes))
    shares = [paths[start : start + size] for start in range(0, len(paths), size)]
    with ProcessPoolExecutor(processes) as pool:
        files = pool.map(partial(_check, options=options), shares)
        return CheckReport(files=tuple(chain.from_iterable(files)))


def _check(paths: Sequence[str], options: Options) -> tuple[FileReport, ...]:
    from servespec.spec.loader import load

    recall = Recall()
    return tuple(check_file(load(path), options, recall) for path in paths)
