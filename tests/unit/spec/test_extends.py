"""``extends``: overlays, places that stay true, and chains that end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from servespec.spec import load, load_text, locate

BASE = """\
servespec: v1
name: base
model: {id: org/name, revision: main}
hardware: {gpu: H100-80GB}
limits:
  max_model_len: 8192
env: {A: base, B: base}
smoke: {prompts: [one, two]}
targets:
  vllm: {version: 0.25.1, args: {json: {a: 1, b: 2}, x: 1}}
  tgi: {}
"""


def overlay(tmp_path: Path, text: str) -> Path:
    (tmp_path / "base.yaml").write_text(BASE)
    path = tmp_path / "over.yaml"
    path.write_text("servespec: v1\nextends: ./base.yaml\n" + text)
    return path


def test_an_overlay_overrides_key_by_key_and_replaces_lists_and_flags(tmp_path: Path) -> None:
    text = "name: over\nenv: {B: over}\nsmoke: {prompts: [three]}\ntargets: {vllm: {args: {json: {a: 3}}}, tgi: null}\n"
    spec = load(overlay(tmp_path, text)).spec
    assert spec is not None
    assert (spec.name, spec.model.revision, spec.limits.max_model_len) == ("over", "main", 8192)
    assert spec.env == {"A": "base", "B": "over"}
    assert spec.smoke.prompts == ("three",)
    assert spec.targets["vllm"].args == {"json": {"a": 3}, "x": 1}
    assert list(spec.targets) == ["vllm"]


def test_every_key_keeps_the_place_where_it_was_written(tmp_path: Path) -> None:
    loaded = load(overlay(tmp_path, "limits: {max_batched_tokens: 0}\n"))
    base, own = str(tmp_path / "base.yaml"), str(tmp_path / "over.yaml")
    (diagnostic,) = loaded.diagnostics
    assert diagnostic.file == own
    place = locate(loaded.nodes, "limits.max_model_len")
    assert place is not None
    assert (place.file, place.span.line) == (base, 6)


def test_a_mistake_in_the_base_is_reported_in_the_base(tmp_path: Path) -> None:
    path = overlay(tmp_path, "")
    (tmp_path / "base.yaml").write_text(BASE.replace("8192", "-1"))
    (diagnostic,) = load(path).diagnostics
    assert (diagnostic.file, diagnostic.span and diagnostic.span.line) == (str(tmp_path / "base.yaml"), 6)


def test_a_base_may_be_incomplete_and_have_a_base_itself(tmp_path: Path) -> None:
    (tmp_path / "team").mkdir()
    (tmp_path / "team" / "gpu.yaml").write_text("hardware: {gpu: L4-24GB}\n")
    (tmp_path / "team" / "model.yaml").write_text("extends: gpu.yaml\nmodel: {id: org/name}\n")
    path = tmp_path / "spec.yaml"
    path.write_text("servespec: v1\nname: x\nextends: team/model.yaml\n")
    spec = load(path).spec
    assert spec is not None
    assert (spec.hardware.gpu, spec.model.id, spec.extends) == ("L4-24GB", "org/name", "team/model.yaml")


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("./spec.yaml", "comes back"),
        ("./a.yaml", "comes back"),
        ("./missing.yaml", "no such file"),
        ("/etc/base.yaml", "relative"),
        ("~/base.yaml", "relative"),
        ("./secrets.txt", "takes a spec"),
        ("[a, b]", "as text"),
        ("./long0.yaml", "more than 8"),
        ("./folder.yaml", "folder"),
    ],
)
def test_a_chain_that_cannot_be_followed_is_told_where_it_breaks(
    tmp_path: Path, target: str, words: str
) -> None:
    (tmp_path / "a.yaml").write_text("extends: ./spec.yaml\n")
    (tmp_path / "secrets.txt").write_text("password: hunter2\n")
    (tmp_path / "folder.yaml").mkdir()
    for number in range(12):
        (tmp_path / f"long{number}.yaml").write_text(f"extends: ./long{number + 1}.yaml\n")
    path = tmp_path / "spec.yaml"
    path.write_text(f"{BASE}extends: {target}\n")
    loaded = load(path)
    (diagnostic,) = [d for d in loaded.diagnostics if d.code == "SV007"]
    assert words in diagnostic.message
    assert diagnostic.span is not None
    assert loaded.spec is None


def test_text_without_a_file_extends_from_the_folder_it_is_given(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(BASE)
    assert load_text("extends: base.yaml\nname: y\n", directory=tmp_path).spec is not None


def test_relative_paths_of_a_base_hold_from_the_base_and_those_of_the_overlay_from_the_overlay(
    tmp_path: Path,
) -> None:
    (tmp_path / "base" / "team").mkdir(parents=True)
    (tmp_path / "child").mkdir()
    (tmp_path / "base" / "team" / "model.yaml").write_text(
        "model:\n  id: ./weights\n  config: facts.json\n"
        "  adapters: {modules: {sql: ./sql, chat: org/chat, home: ~/chat, top: /srv/chat}}\n"
    )
    (tmp_path / "base" / "base.yaml").write_text(
        "extends: team/model.yaml\nspeculative: {method: draft, tokens: 4, model: ../draft, config: ./draft.json}\n"
    )
    path = tmp_path / "child" / "spec.yaml"
    path.write_text(
        "servespec: v1\nname: x\nextends: ../base/base.yaml\nhardware: {gpu: cpu}\n"
        "model: {adapters: {modules: {own: ./own}}}\n"
    )
    spec = load(path).spec
    assert spec is not None and spec.model.adapters is not None and spec.speculative is not None
    assert (spec.model.id, spec.model.config) == ("../base/team/weights", "../base/team/facts.json")
    assert spec.model.adapters.modules == {
        "own": "./own",
        "sql": "../base/team/sql",
        "chat": "org/chat",
        "home": "~/chat",
        "top": "/srv/chat",
    }
    assert (spec.speculative.model, spec.speculative.config) == ("../base/../draft", "../base/draft.json")


def test_a_base_in_a_folder_below_still_names_folders_and_no_hub_ids(tmp_path: Path) -> None:
    (tmp_path / "team").mkdir()
    (tmp_path / "team" / "base.yaml").write_text(BASE.replace("org/name", "./weights"))
    path = tmp_path / "spec.yaml"
    path.write_text("name: x\nextends: team/base.yaml\n")
    loaded = load(path)
    assert loaded.spec is not None
    assert loaded.spec.model.id == "./team/weights"


def test_the_facts_of_a_base_are_read_beside_it_and_a_mistake_in_them_is_shown_there(tmp_path: Path) -> None:
    from servespec import check

    (tmp_path / "base").mkdir()
    (tmp_path / "child").mkdir()
    base = tmp_path / "base" / "base.yaml"
    base.write_text("servespec: v1\nmodel:\n  id: org/own\n  config: ./own.json\nhardware: {gpu: L4-24GB}\n")
    path = tmp_path / "child" / "spec.yaml"
    path.write_text("name: x\nextends: ../base/base.yaml\ntargets: {vllm: {}}\n")
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
        "vocab_size": 256,
        "max_position_embeddings": 2048,
        "torch_dtype": "bfloat16",
    }
    (tmp_path / "base" / "own.json").write_text(json.dumps(config))
    (found,) = check([path]).files
    assert found.verdict == "fits"
    (tmp_path / "base" / "own.json").write_text("{")
    (found,) = check([path]).files
    wrong = [d for d in found.diagnostics if d.severity == "error"]
    assert wrong and {(Path(d.file or "").resolve(), d.span.line if d.span else 0) for d in wrong} == {
        (base.resolve(), 4)
    }
