"""The memory of a GPU as a picture: a bar for the terminal, SVG for pages."""

from __future__ import annotations

from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

from servespec.memory.budget import MemoryBudget
from servespec.report.excerpt import printable
from servespec.report.model import FileReport
from servespec.report.style import Style
from servespec.report.table import gib, verdict_words


class Segment(NamedTuple):
    """A stretch of the device's memory. ``paint`` and ``fill`` are its colours in a terminal and in SVG."""

    name: str
    size_bytes: int
    paint: str
    fill: str
    letter: str


def segments(budget: MemoryBudget) -> tuple[Segment, ...]:
    """What the device's memory goes to; the stretches add up to it, as far as they fit on it."""
    outside = sum(term.size_bytes for term in budget.outside)
    used = (
        Segment("weights", budget.weights.size_bytes, "blue", "#4269d0", "w"),
        Segment("activation", budget.activation.size_bytes, "magenta", "#a463f2", "a"),
        Segment("non torch", budget.non_torch.size_bytes, "yellow", "#efb118", "n"),
        Segment("cuda graph", budget.cuda_graph.size_bytes, "cyan", "#6cc5b0", "g"),
        Segment("KV cache", budget.kv_cache_bytes, "green", "#3ca951", "k"),
        Segment("outside the budget", outside, "red", "#ff725c", "o"),
    )
    present = [segment for segment in used if segment.size_bytes > 0]
    free = budget.device_bytes - sum(segment.size_bytes for segment in present)
    if free > 0:
        present.append(Segment("not used", free, "dim", "#d8dce0", "."))
    return tuple(present)


def bar(budget: MemoryBudget, style: Style) -> list[str]:
    """Two lines for a terminal: the bar, and what its letters stand for."""
    parts = segments(budget)
    width = min(style.width - 4, 96)
    cells = _shares([part.size_bytes for part in parts], width)
    drawn = "".join(
        style.paint("█" * n, part.paint) if style.colour else part.letter * n
        for part, n in zip(parts, cells, strict=True)
    )
    return [f"  {drawn}", *_legend(parts, style)]


def _legend(parts: tuple[Segment, ...], style: Style) -> list[str]:
    lines, line, columns = [], " ", 1
    for part in parts:
        words = f"{part.name} {gib(part.size_bytes)}"
        if columns + len(words) + 4 > style.width:
            lines.append(line)
            line, columns = " ", 1
        mark = style.paint("█", part.paint) if style.colour else part.letter
        line += f" {mark} {words} "
        columns += len(words) + 4
    return [*(full.rstrip() for full in lines), line.rstrip()]


def _shares(sizes: list[int], width: int) -> list[int]:
    """Cells for each size, at least one each, ``width`` in all (largest remainders)."""
    total = sum(sizes)
    exact = [size * width / total for size in sizes]
    cells = [max(1, int(share)) for share in exact]
    order = sorted(range(len(sizes)), key=lambda i: exact[i] - int(exact[i]), reverse=True)
    while sum(cells) < width:
        cells[order[0]] += 1
        order = [*order[1:], order[0]]
    while sum(cells) > width:
        cells[max(range(len(cells)), key=cells.__getitem__)] -= 1
    return cells


_WIDTH, _MARGIN, _BAR, _ROW = 760, 20, 34, 20


def svg(report: FileReport) -> str:
    """A picture of every target that has a budget, one bar below the other, with its figures."""
    body: list[str] = []
    y = _MARGIN
    for target in report.targets:
        if target.budget is None:
            continue
        title = f"{target.engine} {target.version}: {verdict_words(target.verdict)}"
        drawn, height = _target(target.budget, title, y)
        body += drawn
        y += height
    name = report.name or report.path
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {max(y, 2 * _MARGIN)}" role="img" '
            f'aria-label={quoteattr(_clean("GPU memory of " + name))} font-family="system-ui, sans-serif" font-size="13">',
            f"  <title>{escape(_clean('GPU memory of ' + name))}</title>",
            *body,
            "</svg>",
            "",
        ]
    )


def _target(budget: MemoryBudget, title: str, y: int) -> tuple[list[str], int]:
    parts = segments(budget)
    total = max(budget.device_bytes, sum(part.size_bytes for part in parts))
    room = _WIDTH - 2 * _MARGIN
    lines = [
        f'  <text x="{_MARGIN}" y="{y + 14}" font-weight="bold">{escape(_clean(title))}</text>',
        f'  <text x="{_WIDTH - _MARGIN}" y="{y + 14}" text-anchor="end">'
        f"{_scale(budget)}{gib(budget.budget_bytes)} GiB budget</text>",
    ]
    top, x = y + 22, float(_MARGIN)
    for part in parts:
        width = part.size_bytes / total * room
        lines.append(
            f'  <rect x="{x:.1f}" y="{top}" width="{width:.1f}" height="{_BAR}" fill="{part.fill}">'
            f"<title>{escape(part.name)}: {gib(part.size_bytes)} GiB</title></rect>"
        )
        x += width
    edge = _MARGIN + budget.device_bytes / total * room
    lines.append(
        f'  <line x1="{edge:.1f}" x2="{edge:.1f}" y1="{top - 4}" y2="{top + _BAR + 4}" stroke="#222" />'
    )
    columns = 3
    for index, part in enumerate(parts):
        left = _MARGIN + index % columns * room // columns
        line = top + _BAR + 18 + index // columns * _ROW
        lines.append(f'  <rect x="{left}" y="{line - 10}" width="11" height="11" fill="{part.fill}" />')
        lines.append(
            f'  <text x="{left + 17}" y="{line}">{escape(part.name)} {gib(part.size_bytes)} GiB</text>'
        )
    rows = -(-len(parts) // columns)
    return lines, 22 + _BAR + 18 + rows * _ROW + 10


def _scale(budget: MemoryBudget) -> str:
    return f"{gib(budget.device_bytes)} GiB on the device, " if budget.device_bytes else ""


def _clean(text: str) -> str:
    return "".join(c if not "\ud800" <= c <= "\udfff" else "\ufffd" for c in printable(text))
