"""Many files at once, where it pays: each process loads and checks a share of them."""

from __future__ import annotations

import os
from collections.abc import Sequence

from servespec.check import Options, check_file
from servespec.report.model import CheckReport, FileReport

WORTH_WHILE = 100
"""Files from which on the start of further processes (a quarter of a second each) is earned back."""
_SHARE = 25
"""Files that a process takes at a time."""


def check_paths(paths: Sequence[str], options: Options, processes: int | None = None) -> CheckReport:
    """Check files in the order given, in several processes where there are many files and processors."""
    processes = processes or min(os.cpu_count() or 1, len(paths) // _SHARE)
    if len(paths) < WORTH_WHILE or processes < 2:
        return CheckReport(files=tuple(_check(path, options) for path in paths))
    from concurrent.futures import ProcessPoolExecutor
    from functools import partial

    with ProcessPoolExecutor(processes) as pool:
        files = pool.map(partial(_check, options=options), paths, chunksize=_SHARE)
        return CheckReport(files=tuple(files))


def _check(path: str, options: Options) -> FileReport:
    from servespec.spec.loader import load

    return check_file(load(path), options)
