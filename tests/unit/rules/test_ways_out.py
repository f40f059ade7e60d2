"""A finding says what to do instead: by its message, its own fix, or its rule's card."""

from __future__ import annotations

import pytest

from servespec.check import check_file
from servespec.diagnostics import Diagnostic
from servespec.spec.loader import load_text


def found(model: str, rest: str) -> list[Diagnostic]:
    text = f"servespec: v1\nname: small\nmodel: {{id: {model}}}\n{rest}"
    return list(check_file(load_text(text, "a.yaml")).diagnostics)


def test_a_message_without_a_way_out_gets_the_one_of_its_card() -> None:
    (told,) = (
        d
        for d in found(
            "Qwen/Qwen3-8B",
            "hardware: {gpu: H100-80GB}\n"
            "targets: {vllm: {version: 0.32.0, args: {collect_detailed_traces: [all]}}}\n",
        )
        if d.code == "SV237"
    )
    assert told.fix is not None
    assert told.fix.message == "Add otlp_traces_endpoint or leave collect_detailed_traces out."


@pytest.mark.parametrize("engine", ["vllm", "sglang", "tgi"])
def test_ranks_that_do_not_divide_name_those_that_do(engine: str) -> None:
    """28 heads and 4 key/value heads: seven ranks would share the heads, but not the keys and values."""
    rest = f"hardware: {{gpu: H100-80GB, count: 8}}\nparallel: {{tensor: 8}}\ntargets: {{{engine}: {{}}}}\n"
    messages = [
        d.message for d in found("Qwen/Qwen2.5-7B-Instruct", rest) if "28 attention heads" in d.message
    ]
    assert len(messages) == 1
    assert messages[0].endswith("possible: 1, 2 or 4")


def test_a_layer_that_cannot_be_shared_out_is_named_without_placeholders() -> None:
    rest = "hardware: {gpu: H100-80GB, count: 6}\nparallel: {tensor: 6}\ntargets: {vllm: {}, sglang: {}}\n"
    told = [d.message for d in found("meta-llama/Llama-3.2-3B-Instruct", rest) if " wide" in d.message]
    assert len(told) == 2
    assert all(message.startswith("mlp.gate_proj is 8,192 wide") and "{" not in message for message in told)


def test_a_setting_that_tgi_refuses_is_one_finding() -> None:
    rest = (
        "hardware: {gpu: H100-80GB}\nlimits: {max_model_len: 8192}\n"
        "targets: {tgi: {args: {max_batch_total_tokens: 4096}}}\n"
    )
    told = [d.code for d in found("Qwen/Qwen3-8B", rest) if "max_total_tokens 8,192" in d.message]
    assert told == ["SV214"]
