"""What servespec has to say about a spec: findings with a code, a place and a way out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

RULES_URL = "https://servespec.dev/rules"


class Severity(StrEnum):
    """How bad a finding is; only ``error`` makes ``check`` fail (``--strict``: warnings too)."""

    error = "error"
    warning = "warning"
    info = "info"


class Span(NamedTuple):
    """A place in a file. Lines and columns count from 1; the end column is exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the text of ``span`` by ``text``; ``safe`` when the meaning cannot get worse."""

    span: Span
    text: str
    safe: bool = True


@dataclass(frozen=True, slots=True)
class Change:
    """An edit in terms of the spec, for who does not know the file's text.

    The key ``key`` (dotted) gets the value ``value``; ``remove`` takes the key away instead, and
    ``rename`` gives it another last part and leaves its value. Whoever has the file's nodes turns it
    into an :class:`Edit` that keeps comments, order and quotes. ``safe`` as in :class:`Edit`.
    """

    key: str
    value: str | int | float | bool | None = None
    remove: bool = False
    rename: str | None = None
    safe: bool = True


@dataclass(frozen=True, slots=True)
class Fix:
    """What to do about a finding: a sentence, and the edits that do it where a machine can.

    A rule gives ``changes``; ``edits`` are what they become in a file.
    """

    message: str
    edits: tuple[Edit, ...] = ()
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One finding.

    ``key`` is the dotted path in the spec (``limits.max_model_len``, ``targets.vllm.args.tp``);
    ``engine`` is set when it holds for one target alone. The span is found from the key by
    whoever has the file's nodes, so that rules need not know about lines.
    """

    code: str
    severity: Severity
    message: str
    engine: str | None = None
    key: str | None = None
    file: str | None = None
    span: Span | None = None
    fix: Fix | None = None

    def at(self, file: str, span: Span | None) -> Diagnostic:
        """The same finding at a place of a file."""
        return Diagnostic(
            code=self.code,
            severity=self.severity,
            message=self.message,
            engine=self.engine,
            key=self.key,
            file=file,
            span=span,
            fix=self.fix,
        )

    @property
    def is_final(self) -> bool:
        """Whether no one may ignore it: an error of the language, after which there is no spec."""
        return self.severity is Severity.error and self.code < "SV015"

    @property
    def url(self) -> str:
        """The page of the rule."""
        return f"{RULES_URL}/{self.code}"
