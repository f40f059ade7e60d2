"""The pipeline: verdicts, and one failure that takes nothing else with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from servespec.check import check_file
from servespec.errors import UnmodelledError
from servespec.memory.budget import Verdict
from servespec.spec import load_text

SPEC = """\
servespec: v1
name: small
model: {id: meta-llama/Llama-3.1-8B-Instruct}
hardware: {gpu: H100-80GB}
limits: {max_model_len: 8192}
targets: {vllm: {version: 0.25.1}, sglang: {version: 0.5.17}}
"""


def codes(text: str) -> dict[str, str]:
    return {d.code: str(d.severity) for d in check_file(load_text(text)).diagnostics}


def test_what_is_not_modelled_is_unknown_and_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    def unmodelled(*_: object) -> None:
        raise UnmodelledError("architecture FooForCausalLM")

    monkeypatch.setattr("servespec.engines.vllm.memory.budget", unmodelled)
    report = check_file(load_text(SPEC))
    assert [target.verdict for target in report.targets] == [Verdict.unknown, Verdict.fits]
    assert report.verdict is Verdict.unknown
    (diagnostic,) = [d for d in report.diagnostics if d.code == "SV103"]
    assert "FooForCausalLM" in diagnostic.message
    assert (diagnostic.severity, diagnostic.engine) == ("warning", "vllm")


def test_a_failure_of_our_own_in_one_target_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise StopIteration

    monkeypatch.setattr("servespec.engines.vllm.defaults.resolve", broken)
    report = check_file(load_text(SPEC))
    assert [target.verdict for target in report.targets] == [Verdict.unknown, Verdict.fits]
    (diagnostic,) = [d for d in report.diagnostics if d.code == "SV104"]
    assert "StopIteration" in diagnostic.message
    assert diagnostic.severity == "error"


def test_a_model_far_too_large_does_not_fit_and_says_what_to_change() -> None:
    text = SPEC.replace("Llama-3.1-8B", "Llama-3.3-70B").replace("H100-80GB", "L4-24GB")
    report = check_file(load_text(text))
    assert report.verdict is Verdict.does_not_fit
    findings = [d for d in report.diagnostics if d.code == "SV101"]
    assert {d.engine for d in findings} == {"vllm", "sglang"}
    assert all(d.span is not None and d.fix is not None and d.severity == "error" for d in findings)


def test_a_flag_that_is_refused_makes_its_target_invalid_and_no_other() -> None:
    report = check_file(load_text(SPEC.replace("0.25.1}", "0.25.1, args: {no_such_flag: 1}}")))
    assert [target.verdict for target in report.targets] == [Verdict.invalid, Verdict.fits]
    (diagnostic,) = [d for d in report.diagnostics if d.severity == "error"]
    assert diagnostic.key == "targets.vllm.args.no_such_flag"
    assert diagnostic.span is not None
    assert diagnostic.span.line == 6


def test_security_findings_change_no_verdict() -> None:
    text = SPEC + "env: {HF_TOKEN: hunter2}\n"
    assert codes(text)["SV501"] == "error"
    assert check_file(load_text(text)).verdict is Verdict.fits


def test_without_targets_all_engines_are_checked_at_their_newest_version() -> None:
    from servespec.engines import engine_names, get_engine

    report = check_file(load_text(SPEC.split("targets:")[0]))
    expected = [(name, get_engine(name).newest_version()) for name in engine_names()]
    assert [(target.engine, target.version) for target in report.targets] == expected


def test_checking_opens_no_socket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import socket

    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("check must not touch the network")

    monkeypatch.setattr(socket, "socket", forbidden)
    monkeypatch.setattr(socket, "getaddrinfo", forbidden)
    assert check_file(load_text(SPEC)).verdict is Verdict.fits
    assert "SV016" in codes(SPEC.replace("meta-llama/Llama-3.1-8B-Instruct", "nobody/nothing"))


def test_a_lack_of_memory_about_a_key_that_is_not_written_stands_at_the_gpu() -> None:
    text = SPEC.replace("Llama-3.1-8B", "Llama-3.3-70B").replace("limits: {max_model_len: 8192}\n", "")
    lines = {
        d.engine: (d.span.line, d.span.column)
        for d in check_file(load_text(text)).diagnostics
        if d.code == "SV101" and d.span and d.key and d.key.split(".")[0] in ("parallel", "limits")
    }
    assert lines == {"vllm": (4, 12), "sglang": (4, 12)}
