"""The parts of ``check`` that write: fixes, their difference, ignores."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from servespec.check import Options, check_file
from servespec.cli._inputs import write_atomically
from servespec.control.fixes import fix_file
from servespec.errors import ServespecError, UsageError
from servespec.report.excerpt import printable
from servespec.report.model import CheckReport
from servespec.spec.secrets import redact

if TYPE_CHECKING:
    from servespec.spec.loader import LoadedSpec

_BOM = b"\xef\xbb\xbf"


def fix_all(loaded: Iterable[LoadedSpec], options: Options, *, unsafe: bool) -> CheckReport:
    """Fix the files in place and report what is left. Raises UsageError for standard input."""
    reports, count = [], 0
    for one in loaded:
        if one.path == "-":
            raise UsageError("--fix writes files; for standard input use --diff")
        fixed = fix_file(one, partial(check_file, options=options), unsafe=unsafe)
        if fixed.is_changed:
            _replace(one, fixed.text)
            count += fixed.count
        reports.append(fixed.report)
    if count:
        print(f"servespec: {count} fix{'es' if count != 1 else ''} made", file=sys.stderr)
    return CheckReport(files=tuple(reports))


def show_diff(loaded: Iterable[LoadedSpec], options: Options, *, unsafe: bool) -> int:
    """Print a unified difference of what would be fixed; 1 when there is any."""
    from difflib import unified_diff

    changed = guesses = 0
    for one in loaded:
        fixed = fix_file(one, partial(check_file, options=options), unsafe=unsafe)
        if not unsafe:
            left = (d.fix for d in fixed.report.diagnostics if d.fix is not None)
            guesses += sum(bool(fix.edits or fix.changes) for fix in left)
        if not fixed.is_changed:
            continue
        changed += 1
        before = redact(one.sources[0].text).splitlines(keepends=True)
        after = redact(fixed.text).splitlines(keepends=True)
        for line in unified_diff(before, after, one.path, one.path):
            sys.stdout.write(printable(line.rstrip("\r\n")) + "\n")
    files = f"{changed} file{'s' if changed != 1 else ''}"
    more = f"; --unsafe-fixes adds {guesses} more that guess" if guesses else ""
    print(f"servespec: {files} would change{more}", file=sys.stderr)
    return int(changed > 0)


def ignore_all(loaded: Iterable[LoadedSpec], options: Options, reason: str) -> CheckReport:
    """Write an ignore for every finding, and report what is left. Raises UsageError for standard input."""
    from servespec.control.ignores import baseline
    from servespec.spec.loader import load

    if "\n" in reason or "\r" in reason:
        raise UsageError("a reason is one line")
    reports = []
    for one in loaded:
        if one.path == "-":
            raise UsageError("--add-ignores writes files; standard input is none")
        report = check_file(one, options)
        if one.nodes is not None and report.diagnostics:
            text = baseline(one.sources[0], one.nodes, report.diagnostics, reason)
            if text != one.sources[0].text:
                _replace(one, text)
                report = check_file(load(one.path), options)
        reports.append(report)
    return CheckReport(files=tuple(reports))


def _replace(loaded: LoadedSpec, text: str) -> None:
    """Write a file anew, unless somebody else has changed it since it was read."""
    from servespec.spec.source import decode, read_bytes

    data = read_bytes(loaded.path)
    if not isinstance(data, bytes) or decode(data, loaded.path) != loaded.sources[0].text:
        raise ServespecError(f"{loaded.path} was changed while it was checked; nothing was written to it")
    mark = "\ufeff" if data.startswith(_BOM) else ""
    write_atomically(loaded.path, mark + text)
