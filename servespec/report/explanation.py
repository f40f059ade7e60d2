"""What ``servespec explain`` prints: a budget term by term, or the card of a rule."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

from servespec.deployment import Settings
from servespec.memory.budget import MemoryBudget, Term
from servespec.report.excerpt import one_line
from servespec.report.model import FileReport, TargetReport
from servespec.report.picture import bar
from servespec.report.style import Style
from servespec.report.table import gib, of_device, verdict_words
from servespec.rules.base import Card

MOST_OF_A_VALUE = 20
"""Columns that values of settings are brought to; a longer one moves its own line only."""


def explain_file(report: FileReport, style: Style) -> str:
    """Every target's memory, with formula, figures and source of each term, and its settings."""
    blocks = ["\n".join(_target(target, report, style)) for target in report.targets]
    return "\n\n".join(blocks) + "\n"


def _target(target: TargetReport, report: FileReport, style: Style) -> Iterator[str]:
    heading = f"{one_line(report.path)}: {target.engine} {target.version}"
    yield f"{style.paint(heading, 'bold')}: {verdict_words(target.verdict)}"
    if target.budget is not None:
        yield ""
        yield from bar(target.budget, style)
        yield ""
        yield from _budget(target.budget, style)
    if target.deployment is not None:
        yield ""
        yield from _settings(target.deployment.settings, style)


def _budget(budget: MemoryBudget, style: Style) -> Iterator[str]:
    yield style.paint("  GiB per GPU, on the rank with the least KV cache", "dim")
    for term in budget.terms:
        yield from _term(term, style, "  ")
    missing = budget.kv_cache_bytes < 0
    what = "missing: nothing is left for the KV cache" if missing else "KV cache"
    yield f"  {gib(abs(budget.kv_cache_bytes)):>9}  {what} ± {gib(budget.uncertainty_bytes)}"
    yield from _note(budget.kv_formula, budget.kv_source, style, " " * 13)
    yield f"  {'-' * 9}"
    yield f"  {gib(budget.budget_bytes):>9}  budget, {of_device(budget)}"
    for term in budget.outside:
        yield from _term(term, style, "  ", beyond=" (outside the budget)")
    yield ""
    blocks = f" in {budget.num_blocks:,} blocks of {budget.block_size:,}" if budget.num_blocks else ""
    yield f"  {budget.kv_tokens:,} tokens of KV cache{blocks}, {budget.kv_bytes_per_token:,.0f} bytes a token"
    if budget.estimated_max_model_len is not None:
        yield f"  longest request that fits: {budget.estimated_max_model_len:,} tokens"
    if budget.calibration:
        yield f"  calibrated: {one_line(budget.calibration)}"
    for shortfall in budget.shortfalls:
        yield from _wrapped(f"{shortfall.message}. {shortfall.fix}", style, "  ! ")


def _term(term: Term, style: Style, indent: str, beyond: str = "") -> Iterator[str]:
    spread = f" ± {gib(term.uncertainty_bytes)}" if term.uncertainty_bytes else ""
    yield f"{indent}{gib(term.size_bytes):>9}  {term.name.replace('_', ' ')}{spread}{beyond}"
    formula = f"{term.formula} = {term.numbers}" if term.numbers else term.formula
    yield from _note(formula, term.source, style, f"{indent}{' ' * 11}")
    for part in term.parts:
        yield f"{indent}{' ' * 11}{gib(part.size_bytes):>9}  {part.name.replace('_', ' ')}"


def _note(formula: str, source: str, style: Style, indent: str) -> Iterator[str]:
    for text in (formula, f"[{source}]" if source else ""):
        if text:
            for line in wrap(one_line(text), style.width - len(indent), break_on_hyphens=False):
                yield f"{indent}{style.paint(line, 'dim')}"


def _wrapped(text: str, style: Style, mark: str) -> Iterator[str]:
    room = style.width - len(mark)
    for index, line in enumerate(wrap(one_line(text), room, break_on_hyphens=False)):
        yield (mark if index == 0 else " " * len(mark)) + line


def _settings(settings: Settings, style: Style) -> Iterator[str]:
    yield style.paint("  effective settings", "bold")
    names = list(settings)
    values = [_shown(settings[name].value) for name in names]
    width = max(map(len, names), default=0)
    room = min(MOST_OF_A_VALUE, max(map(len, values), default=0))
    for name, value in zip(names, values, strict=True):
        yield f"  {name:<{width}}  {value:<{room}}  {style.paint(one_line(settings[name].source), 'dim')}"


def _shown(value: object) -> str:
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    return one_line(str(value))


def explain_card(card: Card, url: str, style: Style) -> str:
    """Everything that is known of a code."""
    engine = f" · {card.engine} {card.versions}".rstrip() if card.engine else ""
    lines = [f"{style.paint(f'{card.code} {card.name}', 'bold')} ({card.severity}{engine})", ""]
    lines += _paragraph(card.summary, style)
    lines += _paragraph(card.explanation, style)
    if card.error_text:
        lines += ["The engine says:", *(f"  {line}" for line in wrap(card.error_text, style.width - 4)), ""]
    if card.fix:
        lines += _paragraph(f"What to do: {card.fix}", style)
    if card.source:
        lines += _paragraph(f"Source: {card.source}", style)
    return "\n".join([*lines, style.link(url, url), ""])


def _paragraph(text: str, style: Style) -> list[str]:
    return [*wrap(text, style.width, break_on_hyphens=False), ""]
