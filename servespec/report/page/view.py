"""What the page shows, as plain values for its template; the figures are those of ``check --format json``."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from servespec.bench.picture import picture as bench_picture
from servespec.diagnostics import Diagnostic, Severity
from servespec.errors import ServespecError
from servespec.memory.budget import Verdict
from servespec.plan.candidate import Split
from servespec.render.words import command_line, shell_lines
from servespec.report.contract import memory_data, settings_data
from servespec.report.excerpt import excerpt, one_line, secret_spans
from servespec.report.model import FileReport, TargetReport
from servespec.report.page.evidence import Evidence, PlanEvidence, PlannedAnswer
from servespec.report.picture import svg
from servespec.report.table import TERM_NAMES, verdict_words
from servespec.smoke.report import shown
from servespec.spec.secrets import is_secret_name, redact

if TYPE_CHECKING:
    from servespec.deployment import Deployment
    from servespec.spec.model import Workload

_SPREADS = (
    ("time to first token", "ttft_ms"),
    ("between tokens", "itl_ms"),
    ("per output token", "tpot_ms"),
    ("whole request", "e2e_ms"),
)


def file_view(file: FileReport, evidence: Evidence, number: int) -> dict[str, Any]:
    """One spec: its findings and its targets. ``number`` makes its anchors."""
    anchor = f"spec-{number}"
    return {
        "anchor": anchor,
        "path": one_line(file.path),
        "name": one_line(file.name or file.path),
        "verdict": str(file.verdict),
        "verdict_words": verdict_words(file.verdict),
        "summary": _summary(file),
        "plans": [_plan(one) for one in evidence.plans_of(file.name)],
        "findings": [_finding(found, file) for found in sorted(file.diagnostics, key=_gravity)],
        "targets": [
            _target(target, file, evidence.of(file.name, target.engine), anchor) for target in file.targets
        ],
    }


def _summary(file: FileReport) -> list[str]:
    """What the spec is about in a few words: model, hardware, workload; nothing where no target was resolved."""
    deployment = next((target.deployment for target in file.targets if target.deployment is not None), None)
    if deployment is None:
        return []
    spec = deployment.spec
    hardware, workload = spec.hardware, spec.workload
    gpus = hardware.count * hardware.nodes
    words = [spec.model.id, f"{gpus} × {deployment.gpu.name}" if gpus > 1 else deployment.gpu.name]
    if hardware.nodes > 1:
        words.append(f"{hardware.nodes} nodes")
    if spec.deploy.replicas > 1:
        words.append(f"{spec.deploy.replicas} replicas")
    if workload is not None:
        words.append(_workload(workload))
    return [one_line(redact(word)) for word in words]


def _workload(workload: Workload) -> str:
    rate = workload.requests_per_second
    arrival = (
        f"{workload.concurrency:,} requests in flight" if rate is None else f"{rate:g} requests a second"
    )
    return f"{workload.input_tokens:,} tokens in, {workload.output_tokens:,} out, {arrival}"


def _gravity(found: Diagnostic) -> int:
    return list(Severity).index(found.severity)


def _finding(found: Diagnostic, file: FileReport) -> dict[str, Any]:
    path, span = found.file or file.path, found.span
    source = next((source for source in file.sources if source.path == path), None)
    line = None
    if span is not None and source is not None:
        cut = excerpt(source, span, secret_spans(file.diagnostics, path))
        if cut is not None:
            text, start, length = cut
            line = {
                "before": text[:start],
                "marked": text[start : start + length],
                "after": text[start + length :],
            }
    return {
        "code": found.code,
        "url": found.url,
        "severity": str(found.severity),
        "engine": found.engine,
        "message": one_line(found.message),
        "path": one_line(path),
        "line": span.line if span else None,
        "column": span.column if span else None,
        "source": line,
        "fix": one_line(found.fix.message) if found.fix else None,
    }


def _target(target: TargetReport, file: FileReport, evidence: Evidence, anchor: str) -> dict[str, Any]:
    budget, deployment = target.budget, target.deployment
    settings = {} if deployment is None else settings_data(deployment.settings)
    return {
        "anchor": f"{anchor}-{target.engine}",
        "engine": target.engine,
        "version": target.version,
        "verdict": str(target.verdict),
        "verdict_words": verdict_words(target.verdict),
        "memory": None if budget is None else memory_data(budget),
        "term_names": TERM_NAMES,
        "kv_formula": "" if budget is None else budget.kv_formula,
        "longest": None if budget is None else budget.estimated_max_model_len,
        "gpu": "" if deployment is None else deployment.gpu.name,
        "picture": "" if budget is None else svg(replace(file, targets=(target,))),
        "settings": [
            {"name": name, "value": _setting(name, row["value"]), "source": row["from"]}
            for name, row in settings.items()
        ],
        "command": _command(target, file),
        "smoke": [_smoke(one) for one in evidence.smoke],
        "bench": [_bench(one) for one in evidence.bench],
    }


def _setting(name: str, value: object) -> str:
    if value is not None and is_secret_name(name):
        return "***"
    return one_line(redact(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)))


def _command(target: TargetReport, file: FileReport) -> dict[str, Any] | None:
    """The server's command for a shell; none where settings are refused or a secret stands in the spec."""
    deployment = target.deployment
    literal_secret = any(found.code == "SV501" for found in file.diagnostics)
    if deployment is None or target.verdict is Verdict.invalid or literal_secret:
        return None
    try:
        return _lowered(deployment)
    except ServespecError as error:
        return {"error": one_line(str(error))}


def _lowered(deployment: Deployment) -> dict[str, Any]:
    from servespec.engines import get_engine

    launch = get_engine(deployment.engine).lower(deployment)
    words = (*launch.command, *command_line(launch, container=False))
    return {
        "error": None,
        "shell": " \\\n  ".join(shell_lines(words)),
        "environment": dict(launch.environment),
        "secrets": dict(launch.secrets),
        "image": launch.image.reference,
    }


def _plan(one: PlanEvidence) -> dict[str, Any]:
    others = [answer for answer in one.of_each if answer not in one.answers]
    return {
        "workload": _workload(one.workload),
        "answers": [_answer(answer) for answer in (*one.answers, *others)],
        "has_prices": any(answer.price_per_hour is not None for answer in one.answers),
        "estimates": one.estimates,
        "formulas": one.formulas,
        "refusals": one.refusals,
        "dominated": one.dominated,
        "configurations": one.search.configurations,
    }


def _answer(answer: PlannedAnswer) -> dict[str, Any]:
    split = Split(answer.tensor, answer.pipeline, answer.data, answer.nodes)
    slow, fast = answer.estimate.slow, answer.estimate.fast
    price = answer.price_per_hour
    return {
        "gpus": answer.gpus,
        "gpu": answer.gpu,
        "price": "" if price is None else f"{price:,.2f} {answer.currency or ''}",
        "each": f"{answer.replicas} × {split}",
        "engine": f"{answer.engine} {answer.version}",
        "room": answer.kv_room,
        "itl": f"{fast.itl_seconds * 1e3:,.1f}…{slow.itl_seconds * 1e3:,.1f}",
        "ttft": f"{fast.ttft_seconds * 1e3:,.0f}…{slow.ttft_seconds * 1e3:,.0f}",
        "tokens": f"{answer.replicas * slow.output_tokens_per_second:,.0f}…"
        f"{answer.replicas * fast.output_tokens_per_second:,.0f}",
        "concessions": answer.concessions,
    }


def _smoke(one: Any) -> dict[str, Any]:
    return {
        "passed": one.passed,
        "version": one.version,
        "url": one.url,
        "note": one.note,
        "probes": one.probes,
        "rows": [
            {
                "name": row.name,
                "predicted": shown(row.predicted, row.unit),
                "observed": shown(row.observed, row.unit),
                "difference": shown(row.difference, row.unit, sign="+") if row.difference else "0",
                "agreement": str(row.agreement),
            }
            for row in one.reconciliation
        ],
    }


def _bench(one: Any) -> dict[str, Any]:
    return {
        "report": one,
        "picture": bench_picture(one),
        "spreads": [(title, value) for title, name in _SPREADS if (value := getattr(one, name)) is not None],
    }
