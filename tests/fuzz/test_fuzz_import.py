"""Commands and files to import are other people's: a spec or an error of our own comes out, and no secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fuzzing import fuzz, watched
from hostile import BAIT, cut
from hypothesis import strategies as st

from servespec.errors import ServespecError
from servespec.importing import import_source, to_yaml
from servespec.spec import load_text

ROWS = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data" / "flags" / "commands.jsonl")
    .read_text("utf-8")
    .splitlines()
]
TEXTS = sorted({row["text"] for row in ROWS if len(row["text"]) < 4000})
NAMES = st.sampled_from(
    [
        None,
        "start.sh",
        "compose.yaml",
        "values.yaml",
        "server.service",
        "a.container",
        "Dockerfile",
        "args.yaml",
        "x.json",
        "README.md",
        "serve.py",
        "page.rst",
        "guide.ipynb",
    ]
)
PIECES = st.one_of(
    st.sampled_from(BAIT),
    st.sampled_from(["'", '"', "\\\n", "\\", "`", "$(", ")", "${", "}", "<<EOF\n", "\nEOF\n", "|", "&&", ";", "#", "--", "-", "=", "[", "]", "{{", "}}", "&a ", "*a",
                     "vllm serve ", "python -m sglang.launch_server ", "text-generation-launcher ", "--model-path", "--max-model-len ", " " * 500, "\0", "9" * 5000,
                     'cmd = ["vllm", "serve", ', 'import os\n', '{"cells": [{"cell_type": "code", "source": ', '.. code-block:: sh\n\n   ', "{{ .Values.x }}", "~~~\n", "FROM vllm/vllm-openai:v0.9.0\nCMD ", "[Service]\nExecStart=", "[Container]\nImage=", "services:\n", "```\n", "{[", "(" * 300, "[" * 300, "- " * 300]),
    st.text(max_size=6),
)  # fmt: skip


def imported(text: str, name: str | None) -> None:
    """Whatever is imported is a spec that can be read again without a mistake of syntax."""
    try:
        found = import_source(text, name).specs
    except ServespecError:
        return
    for spec in found:
        written = to_yaml(spec, name or "text")
        codes = {d.code for d in load_text(written).diagnostics}
        assert not codes & {"SV001", "SV002"}, written


@fuzz(cut(TEXTS, PIECES), NAMES, share=0.2)
def test_a_published_source_with_damage(text: str, name: str | None) -> None:
    imported(text, name)


@fuzz(st.lists(PIECES, max_size=12).map("".join), NAMES, share=0.4)
def test_any_sequence_of_pieces(text: str, name: str | None) -> None:
    imported(text, name)


@pytest.mark.parametrize("text", ["\\<<EOF\n", "vllm serve a\\<b", "vllm serve \x1b"])
def test_texts_that_once_broke_the_reader(text: str) -> None:
    imported(text, None)


SECRET = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=16, max_size=24).map("hf_Zq9{}".format)


@fuzz(SECRET, st.sampled_from(
    ["HF_TOKEN={v} vllm serve Qwen/Qwen3-8B", "export HF_TOKEN={v}\nvllm serve Qwen/Qwen3-8B", "vllm serve Qwen/Qwen3-8B --api-key {v}",
     "docker run -e HF_TOKEN={v} vllm/vllm-openai:v0.9.0 --model Qwen/Qwen3-8B", "vllm serve Qwen/Qwen3-8B --api-key={v} # {v}",
     "services:\n  a:\n    image: vllm/vllm-openai:v0.9.0\n    environment: [\"HF_TOKEN={v}\"]\n    command: --model Qwen/Qwen3-8B",
     "[Service]\nEnvironment=HF_TOKEN={v}\nExecStart=vllm serve Qwen/Qwen3-8B", "FROM vllm/vllm-openai:v0.9.0\nENV HF_TOKEN={v}\nCMD [\"--model\", \"Qwen/Qwen3-8B\"]",
     "python -m sglang.launch_server --model-path Qwen/Qwen3-8B --api-key '{v}'", "text-generation-launcher --model-id Qwen/Qwen3-8B --api-key \"{v}\""]))  # fmt: skip
def test_no_secret_is_carried_into_a_spec(secret: str, form: str) -> None:
    for spec in import_source(form.replace("{v}", secret)).specs:
        assert secret not in to_yaml(spec, "text")


@pytest.mark.parametrize("text", ["vllm serve " + "a " * 30_000, "vllm serve a " + "\\\n" * 50_000, "[" * 100_000, "vllm serve '" + "a" * 200_000, "$(" * 50_000,
                                  "`" * 100_000, "{{" * 50_000, "```\n" * 15_000, "- a\n" * 30_000, "x: &a [" + "*a," * 1000 + "]", "a=" * 100_000, "FROM " + "x " * 100_000,
                                  "[Service]\n" + "Environment=A=b\n" * 20_000, '["a", ' * 20_000, "f(a" * 30_000, "${" * 100_000, "<<E\n" * 30_000, "if a; then " * 20_000, "A=aa\n" + "A=$A$A\n" * 100 + "vllm serve $A", "a=(x)\n" + "a+=(${a[@]} ${a[@]})\n" * 60 + "vllm serve ${a[@]}",
                                  "${a:-" * 20_000 + "}" * 20_000, "".join(f"export a{i}=b; x\n" for i in range(12_000)), "vllm serve a\n" + "--x\n" * 40_000])  # fmt: skip
@pytest.mark.parametrize("name", [None, "start.sh", "compose.yaml"])
def test_a_source_without_end(text: str, name: str | None) -> None:
    with watched("test_a_source_without_end"):
        imported(text, name)
