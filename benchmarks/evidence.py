"""The page and the accuracy cases made from the rows that `servespec calibrate` measured.

    python -m benchmarks.evidence

writes ``docs/evidence/README.md`` and ``benchmarks/accuracy/data/evidence-cases.jsonl``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.accuracy.cases import DATA
from servespec.calibration.rows import Row, read_rows
from servespec.models.sources import catalogue

FOLDER = Path(__file__).parents[1] / "docs" / "evidence"
PAGE = FOLDER / "README.md"
CASES = DATA / "evidence-cases.jsonl"
ROWS, PREDICTIONS = "-rows.jsonl", "-predictions.jsonl"
GIB = 2**30

INTRODUCTION = """# Evidence from a real GPU

This page is written by `python -m benchmarks.evidence`; nothing in its tables is typed by hand.

One NVIDIA H200 (driver 580.159.04, PyTorch 2.11), vLLM 0.25.1 and SGLang 0.5.17, random weights. *Written before* is
what `servespec calibrate --predict --gpu H200-141GB` said and what was committed before the start; *at the start* is
what the same model said of the GPU as NVML showed it; *measured* is what the engine printed."""

OUTCOMES = """*allocated*: stopped as soon as the KV cache was sized (`--until-allocated`). *timeout*: stopped by a time limit after the
cache was sized, while sampling kernels were being compiled. *refused*: the engine's own refusal; its figures are the
largest context that it says fits."""

ROAD = """## Run, smoke, reconcile, bench, stop

`servespec check`, `smoke`, `run`, `bench` and a SIGTERM, on the same GPU, of `specs/road.yaml` (Llama-3.1-8B, random
weights, Llama's own tokenizer): every command ended with exit code 0. The output is kept whole.

- [h200-road-vllm.txt](h200-road-vllm.txt): KV tokens predicted 919,824, observed 919,824. The second start found the
  compile cache of the first and printed 921,696: a cold compilation holds the embeddings once more while memory is
  profiled. The prediction is that of a cold start, which is the smaller.
- [h200-road-sglang.txt](h200-road-sglang.txt): KV tokens predicted 905,785, observed 905,811. The table under the
  second suite (`smoke --url`) there took the memory that the running server itself held for memory that is not to be
  had, and predicted 0: mended since.

## The same GPU as servespec and nvidia-smi see it

[h200-doctor.txt](h200-doctor.txt) and [h200-nvidia-smi.txt](h200-nvidia-smi.txt), one after the other on an idle GPU:
143,771 MiB in all, and the 143,156 MiB of the catalogue are what nvidia-smi shows as free.

## What a start costs

A first start of a server on a bare machine compiles sampling kernels for one to two minutes after the KV cache is sized
(`--until-allocated` stops before that). An environment's `python` that is a wrapper script has to name its interpreter
by the full path: servespec puts the environment's folder first on the server's PATH."""

SEVERAL_GPUS = """## Several GPUs: written before, not run yet

What is predicted for starts that no machine has made, by the specs of [specs/tp](specs/tp). On a machine with two H200s
(four for those that end in 4; leave them out with `0*.yaml 10*.yaml`), with the environment of the engine at hand:

```sh
servespec doctor                                  # as many idle GPUs as the specs ask for
servespec calibrate docs/evidence/specs/tp/*.yaml -t vllm --until-allocated --engine-python PYTHON \\
  --rows docs/evidence/h200-tp-vllm-0.25.1-rows.jsonl --time-limit 300 --stop-after 1500
servespec calibrate docs/evidence/specs/tp/*.yaml -t sglang --until-allocated --engine-python PYTHON \\
  --rows docs/evidence/h200-tp-sglang-0.5.17-rows.jsonl --time-limit 300 --stop-after 1500
python -m benchmarks.evidence
```

Run again, a command goes on where it was stopped. Each start ends when its KV cache is sized; a row keeps what every
rank said (`ranks`) and what every GPU held before, when ready and after (`gpus_memory`). The specs stand in the order of
their worth. 01 and 09, and 04 and 10, differ in compilation alone: what they differ by in memory outside of PyTorch is
the workspace of the fused all-reduce, which no start has measured on 0.25.1. The predictions were made by
`servespec calibrate docs/evidence/specs/tp/*.yaml --predict --gpu H200-141GB --engine-version 0.25.1 -t vllm`, and
`0.5.17 -t sglang`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A prediction of a start that was not made yet; ``series`` is the name of its file without the ending."""

    series: str
    id: str
    predicted: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A row, and the prediction that was written down before it; None where none was."""

    row: Row
    before: Mapping[str, Any] | None

    @property
    def figure(self) -> str:
        """The figure that the start tells: tokens of its cache, or of the context that would fit."""
        return "kv_tokens" if "kv_tokens" in self.row.measured else "estimated_max_model_len"

    @property
    def error(self) -> float | None:
        """Of the prediction written before, relative to the measured figure."""
        measured = self.row.measured.get(self.figure)
        if self.before is None or not measured:
            return None
        return float(self.before[self.figure] - measured) / measured


def starts(folder: Path = FOLDER) -> tuple[Start, ...]:
    """Every row of the folder with its earlier prediction, in the files' order."""
    found = []
    for path in sorted(folder.glob(f"*{ROWS}")):
        earlier = path.with_name(path.name.removesuffix(ROWS) + PREDICTIONS)
        before = _predictions(earlier) if earlier.exists() else {}
        found += [Start(row=row, before=before.get(row.id)) for row in read_rows(path)]
    return tuple(found)


def waiting(folder: Path = FOLDER) -> tuple[Waiting, ...]:
    """Every prediction of a series of which no start was made, in the files' order."""
    return tuple(
        Waiting(series=path.name.removesuffix(PREDICTIONS), id=id, predicted=predicted)
        for path in sorted(folder.glob(f"*{PREDICTIONS}"))
        if not path.with_name(path.name.removesuffix(PREDICTIONS) + ROWS).exists()
        for id, predicted in _predictions(path).items()
    )


def page(found: Iterable[Start], unmade: Iterable[Waiting] = ()) -> str:
    """The whole page."""
    found, unmade = tuple(found), tuple(unmade)
    parts = [INTRODUCTION, _table(found), _summary(found), OUTCOMES, ROAD]
    if unmade:
        parts += [SEVERAL_GPUS, _waiting_table(unmade)]
    return "\n\n".join(parts) + "\n"


def cases(found: Iterable[Start]) -> str:
    """The rows as cases of the accuracy benchmark, for the GPU by its name instead of the one at hand."""
    return "".join(json.dumps(_case(start.row)) + "\n" for start in found)


def _predictions(path: Path) -> dict[str, Mapping[str, Any]]:
    entries = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return {entry["id"]: entry["predicted"] for entry in entries}


def _waiting_table(unmade: Iterable[Waiting]) -> str:
    lines = [
        "| series | start | verdict | KV tokens | weights GiB | activation | outside PyTorch | KV cache |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for each in unmade:
        sizes = ("weights_bytes", "activation_bytes", "non_torch_bytes", "kv_cache_bytes")
        cells = [each.series, each.id, each.predicted["verdict"], _count(each.predicted.get("kv_tokens"))]
        cells += [_gib(each.predicted.get(name)) for name in sizes]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _table(found: Iterable[Start]) -> str:
    lines = [
        "| engine | start | outcome | figure | written before | at the start | measured | error "
        "| weights GiB, predicted | measured |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for start in found:
        row, name = start.row, start.figure
        error = "–" if start.error is None else f"{start.error:+.3%}"
        before = None if start.before is None else start.before[name]
        cells = [f"{row.engine} {row.version}", row.id, row.outcome, name.replace("_", " ")]
        cells += [_count(before), _count(row.predicted.get(name)), _count(row.measured.get(name)), error]
        cells += [_gib(row.predicted.get("weights_bytes")), _gib(row.measured.get("weights_bytes"))]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _summary(found: Iterable[Start]) -> str:
    errors = [abs(start.error) for start in found if start.error is not None]
    return (
        f"{len(errors)} starts whose prediction was written down before: median error {median(errors):.3%}, "
        f"worst {max(errors):.3%}."
    )


def _case(row: Row) -> dict[str, Any]:
    model = dict(row.spec["model"])
    name = catalogue.resolve(model["id"])
    if name is None:
        raise ValueError(f"{row.id}: {model['id']} is not in the catalogue")
    model["config"] = name.replace("/", "--", 1) + "_config.json"
    # A start that was stopped by a limit does not tell whether it would have served.
    measured = {key: value for key, value in row.measured.items() if (key, value) != ("outcome", "timeout")}
    return {
        "id": f"evidence-{row.gpu}-{row.engine}-{row.version}-{row.id}",
        "engine": row.engine,
        "source": "docs/evidence",
        "confidence": "exact",
        "spec": {**row.spec, "model": model, "hardware": {**row.spec["hardware"], "gpu": row.gpu}},
        "measured": measured,
        "precision": row.precision,
    }


def _count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def _gib(value: int | None) -> str:
    return "–" if value is None else f"{value / GIB:.2f}"


def main() -> None:
    """Write both files."""
    found = starts()
    PAGE.write_text(page(found, waiting()), encoding="utf-8")
    CASES.write_text(cases(found), encoding="utf-8")


if __name__ == "__main__":
    main()
