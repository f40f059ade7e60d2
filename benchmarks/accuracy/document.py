"""The document: what was run, the tables, and how to read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.accuracy.cases import Case
from benchmarks.accuracy.comparison import behind_lines, comparison_table, rivals_text
from benchmarks.accuracy.competition import Entry
from benchmarks.accuracy.figures import Prediction, Summary, error, summarise
from benchmarks.accuracy.heldout import Group, Held, family, gpu, held_out, refitted
from benchmarks.accuracy.predict import Reports
from benchmarks.accuracy.table import (
    classes_table,
    percent,
    starts_table,
    summary_cells,
    verdict_lines,
    worst_lines,
)

COMMAND = "python -m benchmarks.accuracy --rivals --output docs/accuracy.md"

INTRODUCTION = f"""# Accuracy

This page is written by `{COMMAND}` (`make accuracy`); nothing in it is typed by hand.

Predictions of `servespec check` are held against measured start-ups (`benchmarks/accuracy/data/cases.jsonl`): `exact`
rows are own runs on H100 and H200 with exact bytes, `high` rows are published logs that print every input, `medium`
rows leave one out. Errors are relative to the measured figure, less half a unit of its printed rounding. No answer
counts as 100 %. Figures that an input decides which the row does not give are left out. `kv_bytes_per_token` is the
cache's bytes by the tokens that the version prints, measured and predicted alike."""

RIVALS_NOTE = """Each rival runs in an environment of its own at the version named, in the same run, on the same rows.
They get the inputs that servespec has: the device's memory as the driver shows it, parallelism, max_model_len, memory
fraction (the version's default where the row has none), types. Those that ask the Hugging Face Hub ask a stand-in on
the loopback, whose configuration is the model's own and whose safetensors header (names, shapes, types) is made from
servespec's inventory of the checkpoint. kvfit, chimeraforge and hf-mem (and ridgepoint, for the header) have the
Hub's address built in: it is replaced while they run. `auto_map` is left out of configurations, so that none is asked to
download code. Where a tool gives bytes and no tokens, the adapter divides by the
tool's own bytes per token. Rows of an engine that a tool does not plan for are not held against it. Errors are cut off
at 1000 %."""

EVIDENCE_NOTE = """Every start of `benchmarks/accuracy/data/evidence-cases.jsonl`: an engine started on a GPU from what
`servespec render` wrote (`docs/evidence`). They are among the rows of the tables above."""

PUBLISHED_NOTE = """Starts that people published (`benchmarks/accuracy/data/published.jsonl`), none of them in the tables
above. They were set aside and predicted as the model stood; `pub-r1-h200-tp8` and `pub-qwen3-235b-fp8-4xh100-21348` have
since bounded what several ranks take outside PyTorch and count as seen. A dash: not measured, or decided by an input that
the log does not give."""

AHEAD_NOTE = "A tool that answers no row of a class is left out here: its 100 % is silence."

HELD_NOTE = """*Seen* says whether any measured constant of the model (`benchmarks/accuracy/data/fitted.json` lists each with
its rows) was read from a row of that GPU or family; most constants are read from an engine's source and from no row.
*KV tokens, refitted* (vLLM only) takes the group's rows out and fits two constants anew on the others: non-torch bytes
(the median of the rows that share the constant; if none is left, of those with one rank or with several) and the graph
estimate (least squares through the exact rows; 0 if none is left). The remaining constants (32 MiB of cuBLAS workspace,
50 MiB of compiled runs, the padding of packed weights, the catalogue's measured device memory, SGLang's and TGI's) stay
as they are. A constant whose rows all come from one GPU (NCCL with the fused all-reduce) has no like rows left without
it: where the refitted errors are far above the standing ones, that is the fallback."""


def document(
    cases: Sequence[Case],
    predictions: Mapping[str, Prediction],
    found: Reports,
    entries: Sequence[Entry] | None,
    limit: float,
    published: Sequence[Case] = (),
) -> str:
    """The whole page; without ``entries`` the rivals are left out, without ``published`` the starts that were set aside.

    ``predictions`` and ``found`` are of ``cases`` and ``published`` together.
    """
    sections = [INTRODUCTION, "## Errors of the predictions", classes_table(cases, predictions)]
    sections += ["## Verdicts", verdict_lines(cases, predictions)]
    evidence = [case for case in cases if case.id.startswith("evidence-")]
    if evidence:
        sections += ["## Own starts on GPUs", EVIDENCE_NOTE, starts_table(evidence, predictions)]
    if published:
        sections += ["## Published starts", PUBLISHED_NOTE, classes_table(published, predictions)]
        sections += [verdict_lines(published, predictions), starts_table(published, predictions)]
    if entries is not None:
        sections += ["## The same rows by other tools", RIVALS_NOTE]
        sections += [comparison_table(cases, predictions, entries)]
        sections += ["### Where a rival is ahead", AHEAD_NOTE, behind_lines(cases, predictions, entries)]
        sections += ["### What each was given", rivals_text()]
    sections += ["## Held out", HELD_NOTE, pooled_table(cases, predictions, found)]
    sections += ["### By GPU", held_table(cases, predictions, found, gpu)]
    sections += ["### By family", held_table(cases, predictions, found, family)]
    sections += [f"## Cases beyond {limit:.0%}", worst_lines(cases, predictions, limit)]
    return "\n\n".join(sections) + "\n"


def held_table(
    cases: Sequence[Case], predictions: Mapping[str, Prediction], found: Reports, group: Group
) -> str:
    """One line for each group that has weights or tokens measured."""
    lines = [
        "| group | seen | weights n | median | worst | KV tokens n | median | worst "
        "| KV tokens, refitted: n | median | worst |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    groups = held_out(cases, predictions, found, group)
    lines += [_held_line(held) for held in groups if held.weights.count or held.tokens.count]
    return "\n".join(lines)


def pooled_table(cases: Sequence[Case], predictions: Mapping[str, Prediction], found: Reports) -> str:
    """vLLM's KV tokens: as the model stands, with each GPU left out in turn, and with each family."""
    views = (
        ("as it stands", predictions),
        ("leave one GPU out", refitted(cases, predictions, found, gpu)),
        ("leave one family out", refitted(cases, predictions, found, family)),
    )
    lines = ["| rows | constants | KV tokens n | median | p90 | worst |", "|---|---|---|---|---|---|"]
    for confidence in ("exact", "high", "medium"):
        group = [case for case in cases if (case.engine, case.confidence) == ("vllm", confidence)]
        for name, whose in views:
            summary = summarise(error(case, whose[case.id], "kv_tokens") for case in group)
            if summary.count:
                lines.append(f"| vllm {confidence} | {name} | {summary_cells(summary)} |")
    return "\n".join(lines)


def _held_line(held: Held) -> str:
    cells = " | ".join(_cells(summary) for summary in (held.weights, held.tokens, held.refitted))
    return f"| {held.name} | {'yes' if held.seen else 'no'} | {cells} |"


def _cells(summary: Summary) -> str:
    return f"{summary.count} | {percent(summary.median)} | {percent(summary.worst)}"
