"""A start-up log is whatever a process wrote: no line of it breaks the reading."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest
from fuzzing import fuzz, watched
from hostile import cut
from hypothesis import strategies as st

from servespec.deployment import Deployment
from servespec.engines import engine_names
from servespec.errors import ServespecError
from servespec.resolve import find_facts, resolve_target
from servespec.smoke.observe import FORMATS, observe, write
from servespec.spec.loader import load_text

LOGS = [
    path.read_text("utf-8", "replace")
    for path in sorted((Path(__file__).parents[1] / "data" / "logs").glob("*/*.log"))
]
PARTS = [
    "\n".join(log.splitlines()[start : start + 40])
    for log in LOGS
    for start in range(0, min(400, len(log.splitlines())), 40)
]
LINES = sorted({line for log in LOGS for line in log.splitlines() if any(c.isdigit() for c in line)})
PIECES = st.one_of(
    st.sampled_from(["\n", "9" * 5000, "-1", "0", "nan", "inf", "1e999", "GiB", " GB", "\x1b[31m", "\r", "\0", "{", "Traceback (most recent call last):\n",
                     "ValueError: ", "torch.OutOfMemoryError: ", "a" * 3000, " " * 3000, "," * 500, "." * 500, "1," * 500]),
    st.sampled_from(LINES).map("{}\n".format),
    st.text(max_size=6),
)  # fmt: skip


@cache
def deployment(engine: str) -> Deployment:
    text = f"servespec: v1\nname: x\nmodel: {{id: Qwen/Qwen3-8B}}\nhardware: {{gpu: H100-80GB}}\ntargets: {{{engine}: {{}}}}\n"
    spec = load_text(text).spec
    assert spec is not None
    return resolve_target(spec, engine, find_facts(spec, Path()), Path()).deployment


@fuzz(cut(PARTS, PIECES), st.none() | st.sampled_from(engine_names()), st.booleans())
def test_a_log_of_any_engine_with_damage(log: str, engine: str | None, is_compared: bool) -> None:
    try:
        reading = observe(log, engine, deployment(engine) if engine and is_compared else None)
    except ServespecError:
        return
    for name in FORMATS:
        write(reading, name).encode("utf-8", "surrogateescape")
    json.loads(write(reading, "json"))


@pytest.mark.parametrize("engine", engine_names())
@pytest.mark.parametrize(
    "line",
    ["(" * 50_000, "INFO " * 20_000, "Traceback " * 10_000, "1" * 100_000, "a\n" * 100_000, " \n" * 100_000],
)
def test_a_log_without_end(engine: str, line: str) -> None:
    with watched("test_a_log_without_end"):
        write(observe(line, engine), "json")
