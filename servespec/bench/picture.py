"""The latencies as one picture: percentiles of TTFT, ITL and whole requests as bars, in SVG."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from servespec.bench.report import BenchReport, Spread

WIDTH, ROW, LEFT, RIGHT = 640, 22, 190, 90
COLOURS = {"p50": "#4c78a8", "p95": "#f58518", "p99": "#e45756"}


def picture(report: BenchReport) -> str:
    """A self-contained SVG; bars of one latency share a scale."""
    rows: list[str] = []
    y = 56
    for title, value in (
        ("time to first token", report.ttft_ms),
        ("between tokens", report.itl_ms),
        ("whole request", report.e2e_ms),
    ):
        if value is not None:
            rows.append(_bars(title, value, y))
            y += ROW * len(COLOURS) + 14
    summary = (
        f"{report.requests_per_second:,.2f} requests/s · {report.output_tokens_per_second:,.0f} output tokens/s · "
        f"{report.completed} of {report.plan.requests} requests"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" height="{y}" '
        'font-family="system-ui, sans-serif" font-size="12">\n'
        f'<text x="10" y="20" font-size="14" font-weight="600">{escape(report.name)} on {escape(report.engine)} '
        f"{escape(report.version)}</text>\n"
        f'<text x="10" y="38">{escape(summary)}</text>\n' + "\n".join(rows) + "\n</svg>\n"
    )


def _bars(title: str, value: Spread, top: int) -> str:
    scale = (WIDTH - LEFT - RIGHT) / max(value.p99, 1e-9)
    parts = [f'<text x="10" y="{top + 14}">{escape(title)}</text>']
    for number, (name, colour) in enumerate(COLOURS.items()):
        figure = getattr(value, name)
        y = top + number * ROW
        parts.append(
            f'<rect x="{LEFT}" y="{y}" width="{figure * scale:.1f}" height="{ROW - 6}" fill="{colour}"/>'
            f'<text x="{LEFT - 8}" y="{y + 13}" text-anchor="end">{name}</text>'
            f'<text x="{LEFT + figure * scale + 6:.1f}" y="{y + 13}">{figure:,.1f} ms</text>'
        )
    return "\n".join(parts)
