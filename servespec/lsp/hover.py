"""What a key means, what it comes to in each engine, and the memory it leads to."""

from __future__ import annotations

from collections.abc import Iterator

from servespec.lsp.completion import version_of
from servespec.lsp.context import key_at
from servespec.lsp.document import Document
from servespec.lsp.language import described, schema_at
from servespec.report.model import TargetReport
from servespec.report.style import Style
from servespec.report.table import target_lines, verdict_words

MEMORY_SECTIONS = (
    "model",
    "hardware",
    "limits",
    "parallel",
    "kv_cache",
    "speculative",
    "workload",
    "targets",
)
"""Keys of these sections decide the budget, so that their hover shows it."""


def hover(document: Document, line: int, column: int) -> str | None:
    """Markdown for a cursor before code point ``column`` of ``line``, both from 0; None where there is nothing."""
    key = key_at(document.lines, line, column)
    if key is None:
        return None
    path = tuple(key.split("."))
    parts = [
        part for part in (_meaning(document, path), _effect(document, key), _memory(document, path)) if part
    ]
    return "\n\n".join(parts) or None


def _meaning(document: Document, path: tuple[str, ...]) -> str:
    if len(path) >= 4 and path[0] == "targets" and path[2] == "args":
        return _flag(document, path[1], path[3])
    schema = schema_at(path)
    if schema is None:
        return ""
    examples = ", ".join(
        f"`{one}`" for one in schema.get("examples", ()) if isinstance(one, str | int | float)
    )
    return f"**{'.'.join(path)}** {described(schema)}" + (f"\n\nFor example {examples}" if examples else "")


def _flag(document: Document, engine: str, name: str) -> str:
    from servespec.engines import engine_names
    from servespec.engines.flag_catalogue import load

    if engine not in engine_names():
        return ""
    catalogue = load(engine, version_of(document.lines, engine))
    flag = catalogue.get(name)
    if flag is None:
        return f"{engine} {catalogue.version} has no flag `{name}`"
    lines = [f"**{flag.spellings[0]}** of {engine} {catalogue.version}: {flag.kind}"]
    if flag.choices:
        lines.append("One of " + ", ".join(f"`{choice}`" for choice in flag.choices))
    if flag.default is not None and not flag.default_computed:
        lines.append(f"Default `{flag.default}`")
    if flag.help:
        lines.append(flag.help)
    return "\n\n".join(lines)


def _effect(document: Document, key: str) -> str:
    rows = []
    for target in document.report.targets:
        if target.deployment is None:
            continue
        for name in target.deployment.settings:
            setting = target.deployment.settings[name]
            if setting.key == key:
                rows.append(
                    f"- {target.engine} {target.version}: `{name}` = `{setting.value}` ({setting.source})"
                )
    return "\n".join(rows)


def _memory(document: Document, path: tuple[str, ...]) -> str:
    if path[0] not in MEMORY_SECTIONS:
        return ""
    only = path[1] if path[0] == "targets" and len(path) > 1 else None
    tables = [
        table
        for target in document.report.targets
        if only in (None, target.engine)
        for table in _table(target)
    ]
    return "\n\n".join(tables)


def _table(target: TargetReport) -> Iterator[str]:
    heading = f"{target.engine} {target.version}"
    if target.budget is None:
        yield f"{heading}: {verdict_words(target.verdict)}"
        return
    lines = target_lines(target, heading, Style(width=78))
    yield "```text\n" + "\n".join(lines) + "\n```"
