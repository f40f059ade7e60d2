"""A spec on newer engines, and two specs compared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from servespec.check import check_file
from servespec.cli import invoke
from servespec.diagnostics import Severity
from servespec.spec.loader import load as load_spec
from servespec.spec.loader import load_text
from servespec.upgrade import Upgrade, compare, upgrade

SPEC = """\
# our server
servespec: v1
name: llama   # the name
model:
  id: meta-llama/Llama-3.1-8B-Instruct
hardware: {gpu: H100-80GB, count: 1}
limits:
  max_model_len: 8192
targets:
  vllm:
    version: 0.10.2   # pinned
    args:
      # keep eager
      enforce_eager: true
      swap_space: 4
      guided_decoding_backend: xgrammar  # fast
      cuda_graph_sizes: [1, 2]
      no_such_thing: 1
"""


def upgraded(text: str = SPEC, **to: str) -> Upgrade:
    loaded = load_text(text)
    assert loaded.spec is not None, loaded.diagnostics
    return upgrade(loaded, text, to or {"vllm": "0.33.0"})


def test_flags_that_went_are_rewritten_and_everything_else_stays_as_it_was_written() -> None:
    found = upgraded()
    assert found.text == SPEC.replace("0.10.2", "0.33.0").replace("      swap_space: 4\n", "").replace(
        "      guided_decoding_backend: xgrammar  # fast\n",
        "      structured_outputs_config:         # fast\n        backend: xgrammar\n",
    ).replace("cuda_graph_sizes", "cudagraph_capture_sizes")


def test_what_a_person_has_to_decide_stays_and_is_told() -> None:
    (problem,) = upgraded().open_problems
    assert problem.name == "no_such_thing"
    assert "no_such_thing: 1" in upgraded().text


def test_defaults_that_moved_and_what_that_does_to_memory_are_told_with_figures() -> None:
    (engine,) = upgraded().comparison.engines
    settings = {change.name: (change.old, change.new) for change in engine.settings}
    assert settings["gpu_memory_utilization"] == (0.9, 0.92)
    memory = {change.name: change.new - change.old for change in engine.memory}
    assert memory["budget_bytes"] > 0
    assert {"kv_cache_bytes", "kv_tokens"} <= set(memory)


def test_an_upgrade_to_the_same_version_changes_nothing() -> None:
    text = SPEC.replace("      no_such_thing: 1\n", "")
    found = upgraded(text, vllm="0.10.2")
    assert found.text == text
    assert found.comparison.is_same


def test_values_that_a_successor_takes_from_elsewhere_are_filled_in() -> None:
    text = """\
servespec: v1
name: a
model: {id: meta-llama/Llama-3.1-8B-Instruct}
hardware: {gpu: H100-80GB, count: 8}
parallel: {tensor: 8}
targets:
  sglang:
    version: 0.5.3
    args:
      enable_ep_moe: true
      enable_deepep_moe: true
"""
    found = upgraded(text, sglang="0.5.10")
    assert found.text.endswith("    args:\n      ep_size: 8\n      moe_a2a_backend: deepep\n")


def test_the_old_form_of_a_value_becomes_the_new_one() -> None:
    text = """\
servespec: v1
name: a
model: {id: meta-llama/Llama-3.1-8B-Instruct}
hardware: {gpu: H100-80GB}
targets: {vllm: {version: 0.9.2, args: {limit_mm_per_prompt: "image=4"}}}
"""
    (change,) = upgraded(text).changes
    assert change.give == {"limit_mm_per_prompt": {"image": 4}}


def test_specs_that_mean_the_same_have_no_difference() -> None:
    one = load_text(SPEC)
    other = load_text(
        SPEC.replace("# our server", "").replace(
            "hardware: {gpu: H100-80GB, count: 1}", "hardware: {gpu: h100}"
        )
    )
    found = compare(one, other)
    assert set(found.keys) <= {"hardware.gpu"}
    assert not any(engine.settings or engine.memory for engine in found.engines)


def test_a_key_that_differs_is_told_with_its_effect() -> None:
    found = compare(load_text(SPEC), load_text(SPEC.replace("8192", "4096")))
    assert found.keys == {"limits.max_model_len": (8192, 4096)}
    (engine,) = found.engines
    assert [(c.name, c.old, c.new) for c in engine.settings if c.name == "max_model_len"] == [
        ("max_model_len", 8192, 4096)
    ]


def test_naming_one_engine_does_not_drop_the_others_of_a_spec_without_targets() -> None:
    text = (
        "servespec: v1\nname: a\nmodel: {id: meta-llama/Llama-3.1-8B-Instruct}\nhardware: {gpu: H100-80GB}\n"
    )
    loaded = load_text(upgraded(text, vllm="0.25.1").text)
    assert loaded.spec is not None
    assert {engine: target.version for engine, target in loaded.spec.targets.items()} == {
        "sglang": None,
        "tgi": None,
        "vllm": "0.25.1",
    }


def test_what_stands_in_a_base_is_left_to_the_base(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "base.yaml").write_text(SPEC.replace("      no_such_thing: 1\n", ""))
    path = tmp_path / "own.yaml"
    path.write_text("servespec: v1\nextends: ./base.yaml\nname: own\n")
    assert invoke(["upgrade", str(path), "--to", "vllm=0.33.0", "--fix"]) == 1
    assert "it stands in a spec that this one extends" in capsys.readouterr().out
    assert load_spec(path).spec.targets["vllm"].version == "0.33.0"  # type: ignore[union-attr]


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "a.yaml"
    path.write_text(SPEC)
    return path


def test_upgrade_writes_only_when_it_is_asked(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["upgrade", str(spec), "--to", "vllm=0.33.0"]) == 1
    assert spec.read_text() == SPEC
    said = capsys.readouterr().out
    assert said.startswith("vllm 0.10.2 → 0.33.0\n")
    assert "to decide args.no_such_thing" in said
    assert invoke(["upgrade", str(spec), "--to", "vllm=0.33.0", "--fix"]) == 1
    assert spec.read_text() == upgraded().text
    assert list(spec.parent.iterdir()) == [spec]


def test_upgrade_and_diff_speak_to_programs(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    invoke(["upgrade", str(spec), "--to", "vllm=0.33.0", "--format", "json"])
    data = json.loads(capsys.readouterr().out)
    assert data["versions"] == {"vllm": {"old": "0.10.2", "new": "0.33.0"}}
    assert {change["name"] for change in data["args"]} >= {"swap_space", "no_such_thing"}
    assert invoke(["diff", str(spec), str(spec), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["keys"] == {}


@pytest.mark.parametrize("to", ["vllm", "vllm=", "nosuch=1.0"])
def test_a_bad_target_is_a_usage_error(spec: Path, to: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["upgrade", str(spec), "--to", to]) == 2
    assert "ENGINE=VERSION" in capsys.readouterr().err


def test_keys_of_a_json_flag_that_went_are_rewritten_where_their_successors_are_known() -> None:
    text = """servespec: v1
name: a
model: {id: Qwen/Qwen3-8B}
hardware: {gpu: H100-80GB}
targets:
  vllm:
    version: 0.11.0
    args:
      compilation_config: {level: 3, full_cuda_graph: true, use_cudagraph: true, compile_sizes: [1]}  # tuned
"""
    plan = upgraded(text, vllm="0.33.0")
    (change,) = plan.changes
    assert change.give == {"compilation_config": {"mode": 3, "cudagraph_mode": "FULL", "compile_sizes": [1]}}
    assert "'level' is no key of this JSON value; give {" in change.message
    assert plan.open_problems == ()
    assert "# tuned" in plan.text
    assert all(d.severity is not Severity.error for d in check_file(load_text(plan.text)).diagnostics)
    (left,) = upgraded(text.replace("use_cudagraph", "no_such_key"), vllm="0.33.0").changes
    assert left.give is None


def test_the_sources_of_a_setting_are_told_in_the_order_of_its_values(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(SPEC.replace("no_such_thing: 1", "seed: 1").replace("version: 0.10.2", "version: 0.6.3"))
    assert invoke(["upgrade", str(path), "--to", "vllm=0.33.0"]) == 0
    told = capsys.readouterr().out
    assert "gpu_memory_utilization: 0.9 → 0.92  (vllm 0.6.3 default → vllm 0.33.0 default)" in told


def test_flags_that_become_keys_of_one_section_are_all_kept() -> None:
    text = """servespec: v1
name: a
model: {id: Qwen/Qwen3-8B}
hardware: {gpu: H100-80GB}
targets:
  vllm:
    version: 0.6.6
    args: {speculative_model: "org/draft", num_speculative_tokens: 5, speculative_draft_tensor_parallel_size: 1}
"""
    plan = upgraded(text, vllm="0.33.0")
    written = load_text(plan.text).spec
    assert written is not None
    assert dict(written.targets["vllm"].args["speculative_config"]) == {
        "model": "org/draft",
        "num_speculative_tokens": 5,
        "draft_tensor_parallel_size": 1,
    }


def test_drafting_by_ngrams_that_stood_in_the_place_of_the_model_is_still_that() -> None:
    text = """servespec: v1
name: a
model: {id: Qwen/Qwen3-8B}
hardware: {gpu: H100-80GB}
targets:
  vllm:
    version: 0.6.6
    args: {speculative_model: "[ngram]", num_speculative_tokens: 5, ngram_prompt_lookup_max: 4}
"""
    report = check_file(load_text(upgraded(text, vllm="0.33.0").text))
    assert [str(target.verdict) for target in report.targets] == ["fits"]


def test_a_switch_that_becomes_a_number_of_one_is_written_as_the_number() -> None:
    text = """servespec: v1
name: a
model: {id: Qwen/Qwen3-30B-A3B}
hardware: {gpu: H100-80GB}
targets:
  sglang:
    version: 0.4.3
    args: {enable_ep_moe: true}
"""
    written = load_text(upgraded(text, sglang="0.5.23").text).spec
    assert written is not None
    assert written.targets["sglang"].args["ep_size"] is not True
    assert written.targets["sglang"].args["ep_size"] == 1
