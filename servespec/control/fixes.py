"""``--fix``: the edits that findings propose, made until nothing is left to do, never to anyone's harm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from servespec.diagnostics import Diagnostic, Edit, Severity
from servespec.report.model import FileReport
from servespec.spec.edits import apply, edits_of
from servespec.spec.loader import LoadedSpec, load_text

ROUNDS = 10
"""One fix may uncover another finding; more rounds than this would be a fix that undoes another."""

Check = Callable[[LoadedSpec], FileReport]


@dataclass(frozen=True, slots=True)
class Fixed:
    """A file before and after; ``report`` is of what is left."""

    loaded: LoadedSpec
    text: str
    report: FileReport
    count: int

    @property
    def is_changed(self) -> bool:
        """Whether anything was edited."""
        return bool(self.loaded.sources) and self.text != self.loaded.sources[0].text


def edits_for(diagnostic: Diagnostic, loaded: LoadedSpec, *, unsafe: bool) -> tuple[Edit, ...]:
    """What a finding's fix means in the file; empty when it has none, or only with ``unsafe`` edits."""
    fix = diagnostic.fix
    if fix is None or not loaded.sources or (diagnostic.file or loaded.path) != loaded.path:
        return ()
    made = [edits_of(change, loaded.nodes, loaded.sources[0]) for change in fix.changes]
    if not all(made):
        return ()
    edits = (*fix.edits, *(edit for edits in made for edit in edits))
    return edits if unsafe or all(edit.safe for edit in edits) else ()


def fix_file(loaded: LoadedSpec, check: Check, *, unsafe: bool = False) -> Fixed:
    """Make all fixes of a file. A round that leaves more findings than before is taken back, fix by fix."""
    current, report, count = loaded, check(loaded), 0
    for _ in range(ROUNDS):
        proposals = [edits for d in report.diagnostics if (edits := edits_for(d, current, unsafe=unsafe))]
        if not proposals:
            break
        after = _try([edit for edits in proposals for edit in edits], current, report, check)
        if after is not None:
            current, report = after
            count += len(proposals)
            continue
        for edits in proposals:
            after = _try(list(edits), current, report, check)
            if after is not None:
                current, report = after
                count += 1
                break
        else:
            break
    text = current.sources[0].text if current.sources else ""
    return Fixed(loaded, text, report, count)


def _try(
    edits: list[Edit], loaded: LoadedSpec, report: FileReport, check: Check
) -> tuple[LoadedSpec, FileReport] | None:
    """The file with the edits, None when that changes nothing or makes it worse."""
    text = apply(loaded.sources[0].text, edits)
    if text == loaded.sources[0].text:
        return None
    edited = load_text(text, loaded.path, loaded.directory)
    checked = check(edited)
    return None if _weight(checked) > _weight(report) else (edited, checked)


def _weight(report: FileReport) -> tuple[int, int]:
    """Errors first, then everything."""
    errors = sum(d.severity is Severity.error for d in report.diagnostics)
    return errors, len(report.diagnostics)
