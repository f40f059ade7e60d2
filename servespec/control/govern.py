"""A project's settings applied to the findings of one file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from servespec.diagnostics import Diagnostic, Severity

if TYPE_CHECKING:
    from servespec.control.settings import Found
    from servespec.spec.loader import LoadedSpec
    from servespec.spec.model import Spec


@dataclass(frozen=True, slots=True)
class Selection:
    """Codes, or beginnings of codes, that the caller wants (empty: what the project says) and does not want."""

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()


def settings_for(loaded: LoadedSpec) -> Found | None:
    """The configuration that holds for a file. Raises UsageError when it makes no sense."""
    from servespec.control.search import candidate

    path = candidate(str(loaded.directory))
    if path is None:
        return None
    from servespec.control.settings import check_names, read

    found = read(path)
    if found is not None:
        check_names(found.settings, path)
    return found


def check_codes(codes: Iterable[str]) -> None:
    """Raises UsageError for one that no rule's code begins with: it would find, or leave out, nothing."""
    from servespec.errors import UsageError
    from servespec.rules.index import INDEX

    for code in codes:
        if not any(known.startswith(code) for known, *_ in INDEX):
            raise UsageError(f"no rule's code begins with {code!r} (`servespec rules` lists them)")


def policy_findings(spec: Spec, found: Found | None) -> Iterator[Diagnostic]:
    """What the organisation does not allow (SV591 to SV593)."""
    if found is None:
        return
    policy = found.settings.policy
    images = [(f"targets.{name}.image", target.image, name) for name, target in spec.targets.items()]
    for key, image, engine in images:
        if image is not None:
            yield from _not_allowed("SV591", "image", image, policy.images, key, engine)
    yield from _not_allowed("SV592", "GPU", spec.hardware.gpu, policy.gpus, "hardware.gpu")
    yield from _not_allowed("SV593", "model", spec.model.id, policy.models, "model.id")


def _not_allowed(
    code: str, what: str, value: str, patterns: Sequence[str], key: str, engine: str | None = None
) -> Iterator[Diagnostic]:
    if patterns and not any(fnmatchcase(value.lower(), pattern.lower()) for pattern in patterns):
        message = f"the {what} {value!r} is not allowed here; allowed: {', '.join(patterns)}"
        yield Diagnostic(code=code, severity=Severity.error, message=message, key=key, engine=engine)


def govern(
    diagnostics: Iterable[Diagnostic], loaded: LoadedSpec, found: Found | None, selection: Selection
) -> tuple[Diagnostic, ...]:
    """The findings that are wanted, with the severities that are wanted."""
    if found is None:
        return tuple(d for d in diagnostics if _wanted(d, selection.select, selection.ignore))
    settings = found.settings
    select = selection.select or settings.select
    ignore = (*selection.ignore, *settings.ignore, *_of_file(loaded, found))
    return tuple(_with_severity(d, settings.severity) for d in diagnostics if _wanted(d, select, ignore))


def _wanted(diagnostic: Diagnostic, select: tuple[str, ...], ignore: tuple[str, ...]) -> bool:
    if diagnostic.is_final:
        return True
    return (not select or diagnostic.code.startswith(select)) and not diagnostic.code.startswith(ignore)


def _of_file(loaded: LoadedSpec, found: Found) -> Iterator[str]:
    path = Path(loaded.path).absolute()
    try:
        name = path.relative_to(found.directory.absolute()).as_posix()
    except ValueError:
        name = path.as_posix()
    for pattern, codes in found.settings.per_file_ignores.items():
        if fnmatchcase(name, pattern) or fnmatchcase(path.name, pattern):
            yield from codes


def _with_severity(diagnostic: Diagnostic, severity: Mapping[str, str]) -> Diagnostic:
    """The longest beginning of the code that has a severity of its own decides."""
    names = [code for code in severity if diagnostic.code.startswith(code)]
    if not names or diagnostic.is_final:
        return diagnostic
    return replace(diagnostic, severity=Severity(severity[max(names, key=len)]))
