"""The contract of ``check --format json``: plain data, in names that other tools depend on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from servespec._version import __version__
from servespec.deployment import Settings, SettingValue
from servespec.diagnostics import Diagnostic
from servespec.memory.budget import MemoryBudget, Term
from servespec.report.model import CheckReport, FileReport, TargetReport

SCHEMA = "report.v1"


def report_data(report: CheckReport) -> dict[str, Any]:
    """The whole report; its schema is ``schema/report.v1.json``."""
    return {"servespec": __version__, "schema": SCHEMA, "files": [_file(file) for file in report.files]}


def _file(file: FileReport) -> dict[str, Any]:
    return {
        "path": file.path,
        "name": file.name,
        "verdict": str(file.verdict),
        "targets": [_target(target) for target in file.targets],
        "diagnostics": [diagnostic_data(diagnostic) for diagnostic in file.diagnostics],
    }


def _target(target: TargetReport) -> dict[str, Any]:
    budget, deployment = target.budget, target.deployment
    return {
        "engine": target.engine,
        "version": target.version,
        "verdict": str(target.verdict),
        "memory": None if budget is None else memory_data(budget),
        "settings": {} if deployment is None else settings_data(deployment.settings),
        "estimated_max_model_len": None if budget is None else budget.estimated_max_model_len,
    }


def memory_data(budget: MemoryBudget) -> dict[str, Any]:
    """Bytes and tokens of one GPU; weights + activation + non_torch + cuda_graph + kv_cache = budget."""
    return {
        "device_bytes": budget.device_bytes,
        "budget_bytes": budget.budget_bytes,
        "weights_bytes": budget.weights.size_bytes,
        "activation_bytes": budget.activation.size_bytes,
        "non_torch_bytes": budget.non_torch.size_bytes,
        "cuda_graph_bytes": budget.cuda_graph.size_bytes,
        "kv_cache_bytes": budget.kv_cache_bytes,
        "kv_bytes_per_token": _number(budget.kv_bytes_per_token),
        "kv_tokens": budget.kv_tokens,
        "max_concurrency": float(budget.max_concurrency),
        "uncertainty_bytes": budget.uncertainty_bytes,
        "terms": [_term(term) for term in budget.terms],
        "outside": [_term(term) for term in budget.outside],
    }


def _term(term: Term) -> dict[str, Any]:
    return {"name": term.name, "bytes": term.size_bytes, "formula": term.formula, "source": term.source}


def _number(value: float) -> int | float:
    return int(value) if float(value).is_integer() else float(value)


def settings_data(settings: Settings) -> dict[str, Any]:
    """Every effective setting with where it came from."""
    return {name: {"value": _plain(settings[name].value), "from": settings[name].source} for name in settings}


def _plain(value: SettingValue) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def diagnostic_data(diagnostic: Diagnostic) -> dict[str, Any]:
    """One finding; ``fix`` is the sentence that says what to do, ``edits`` what ``--fix`` would write."""
    span, fix = diagnostic.span, diagnostic.fix
    return {
        "code": diagnostic.code,
        "severity": str(diagnostic.severity),
        "message": diagnostic.message,
        "engine": diagnostic.engine,
        "key": diagnostic.key,
        "file": diagnostic.file,
        "line": span.line if span else None,
        "column": span.column if span else None,
        "end_line": span.end_line if span else None,
        "end_column": span.end_column if span else None,
        "fix": fix.message if fix else None,
        "url": diagnostic.url,
    }
