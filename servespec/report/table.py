"""The memory of one target as a table that is readable at 80 columns."""

from __future__ import annotations

from servespec.memory.budget import MemoryBudget, Verdict
from servespec.report.model import TargetReport
from servespec.report.style import Style

_GIB = 1 << 30
_COLOUR = {
    Verdict.fits: "green",
    Verdict.tight: "yellow",
    Verdict.unknown: "yellow",
    Verdict.does_not_fit: "red",
    Verdict.invalid: "red",
}


LABEL_WIDTH = 27

TERM_NAMES = ("weights", "activation", "non-torch", "CUDA graphs")
"""What the budget's terms are called, whatever an engine's package calls them."""


def gib(size_bytes: float) -> str:
    """Bytes as GiB with two digits."""
    return f"{size_bytes / _GIB:,.2f}"


def of_device(budget: MemoryBudget) -> str:
    """What the budget is a part of."""
    if budget.device_bytes:
        return f"of {gib(budget.device_bytes)} on the device"
    return "of host memory that nothing says the size of"


def verdict_words(verdict: Verdict) -> str:
    """The verdict as a person says it."""
    return str(verdict).replace("_", " ")


def heading_line(heading: str, verdict: Verdict, style: Style) -> str:
    """What was checked, and the verdict."""
    words = style.paint(verdict_words(verdict), _COLOUR[verdict], "bold")
    return f"{style.paint(heading, 'bold')}: {words}"


def target_lines(target: TargetReport, heading: str, style: Style) -> list[str]:
    """The heading with the verdict, and a row for each term where there is a budget."""
    lines = [heading_line(heading, target.verdict, style)]
    budget = target.budget
    if budget is None:
        return lines
    return [*lines, *_rows(budget, style), *_capacity(budget, target)]


def _rows(budget: MemoryBudget, style: Style) -> list[str]:
    label = LABEL_WIDTH if style.width >= 72 else 20
    room = max(20, style.width - label - 14)
    rows = [
        (name, size, numbers)
        for name, size, numbers in (
            *(
                (name, term.size_bytes, term.numbers or term.formula)
                for name, term in zip(TERM_NAMES, budget.terms, strict=True)
            ),
            _kv_row(budget),
        )
    ]
    lines = [f"  {'per GPU':<{label}} {'GiB':>8}  {style.paint('from', 'dim')}"]
    lines += [
        f"  {name[:label]:<{label}} {gib(size):>8}  {style.paint(_cut(source, room), 'dim')}"
        for name, size, source in rows
    ]
    lines.append(f"  {'budget':<{label}} {gib(budget.budget_bytes):>8}  {of_device(budget)}")
    for term in budget.outside:
        name = f"+ {term.name.replace('_', ' ')}"
        lines.append(f"  {name[:label]:<{label}} {gib(term.size_bytes):>8}  outside the budget")
    return lines


def _kv_row(budget: MemoryBudget) -> tuple[str, int, str]:
    if budget.kv_cache_bytes < 0:
        return "missing for KV", -budget.kv_cache_bytes, "the rest is more than the budget"
    return "KV cache", budget.kv_cache_bytes, budget.kv_formula


def _capacity(budget: MemoryBudget, target: TargetReport) -> list[str]:
    lines = [f"  {budget.kv_tokens:,} tokens of KV cache, ± {gib(budget.uncertainty_bytes)} GiB"]
    length = target.deployment.settings.value("max_model_len") if target.deployment else None
    if isinstance(length, int) and length > 0:
        lines.append(f"  {budget.max_concurrency:.2f} × the longest request of {length:,} tokens")
    return lines


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
