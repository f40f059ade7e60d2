"""Runs the rivals on the cases, each in its own environment, against a Hub on the loopback."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.accuracy.cases import Case
from benchmarks.accuracy.checkpoints import Repository, repository
from benchmarks.accuracy.environments import InstallError, environment
from benchmarks.accuracy.figures import Prediction
from benchmarks.accuracy.hub import Hub, serve
from benchmarks.accuracy.predict import Reports
from benchmarks.accuracy.questions import Question, hub_id, questions
from benchmarks.accuracy.rivals import RIVALS, Rival

ADAPTERS = Path(__file__).parent / "rivals"
TIMEOUT_SECONDS = 900


@dataclass(frozen=True, slots=True)
class Entry:
    """One rival's answers; ``absent`` says why there are none at all."""

    rival: Rival
    predictions: Mapping[str, Prediction]
    absent: str = ""


def compete(cases: Sequence[Case], found: Reports) -> tuple[Entry, ...]:
    """Ask every rival about every case of the engines that it plans for."""
    from servespec.models.sources import catalogue

    known = {hub_id(case): catalogue.read(hub_id(case)) for case in cases}

    def source(id: str, quantized: bool) -> Repository:
        entry = known[id]
        if entry is None:
            raise KeyError(id)
        return repository(id, entry.config, entry.hf_quant_config, quantized=quantized)

    formats = {id: _weight_format(source(id, True), id) for id in known}
    asked = questions(cases, found, formats)
    with serve(Hub(source)) as address, ThreadPoolExecutor(max_workers=3) as pool:
        return tuple(pool.map(lambda rival: _ask(rival, asked, address), RIVALS))


def _weight_format(made: Repository, id: str) -> tuple[str, int] | None:
    """Format and bits of most of a checkpoint's weights; None where it is not quantized."""
    from servespec.models.build import facts_from_config
    from servespec.models.quantization.matching import by_format

    facts = facts_from_config(made.config, id=id, source="catalogue", hf_quant_config=made.hf_quant_config)
    if facts.quantization is None:
        return None
    elements: Counter[tuple[str, int]] = Counter()
    for group in facts.tensors:
        for part, found in by_format(facts.quantization, group):
            if found is not None:
                elements[found.name, found.bits] += part.elements * part.count
    return elements.most_common(1)[0][0] if elements else None


def _ask(rival: Rival, asked: Sequence[Question], address: str) -> Entry:
    lines = [
        json.dumps(dataclasses.asdict(question)) for question in asked if question.engine in rival.engines
    ]
    with tempfile.TemporaryDirectory() as home:
        variables = {"PATH": os.environ["PATH"], "HOME": home, "HF_HOME": f"{home}/hf", "HUB": address}
        try:
            result = subprocess.run(
                [str(environment(rival)), str(ADAPTERS / rival.adapter)],
                input="\n".join(lines) + "\n",
                capture_output=True,
                text=True,
                env=variables | {"HF_HUB_DISABLE_TELEMETRY": "1", "NO_PROXY": "127.0.0.1"},
                cwd=home,
                timeout=TIMEOUT_SECONDS,
                check=False,
            )
        except (InstallError, subprocess.TimeoutExpired) as reason:
            return Entry(rival, {}, str(reason))
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    if not answers:
        return Entry(rival, {}, f"its adapter ended with {result.returncode}: {result.stderr[-300:]}")
    return Entry(rival, {answer.pop("id"): Prediction(**answer) for answer in answers})
