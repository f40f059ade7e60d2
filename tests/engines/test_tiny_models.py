"""The tiny models are what they say: transformers loads every tensor of every architecture, and no other."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from real_engines import SCRIPTS

pytestmark = pytest.mark.engine
LOAD = """
import json, sys
from pathlib import Path
from transformers import AutoModelForCausalLM, AutoTokenizer
for folder in sorted(Path(sys.argv[1]).iterdir()):
    model, info = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokens = tokenizer.apply_chat_template([{"role": "user", "content": "hello there"}], tokenize=False)
    print("FOUND", json.dumps({
        "name": folder.name,
        "wrong": {key: sorted(map(str, value)) for key, value in info.items() if value},
        "tokens": len(tokenizer), "rows": model.config.vocab_size,
        "round_trip": tokenizer.decode(tokenizer("hello, wörld").input_ids), "chat": tokens,
    }))
"""


def test_transformers_loads_every_architecture_whole(vllm_python: Path, tmp_path: Path) -> None:
    listed = subprocess.run(
        [vllm_python, SCRIPTS / "tiny_model.py", "--help"], capture_output=True, text=True, check=True
    )
    names = listed.stdout.split("--arch {", 1)[1].split("}", 1)[0].split(",")
    assert len(names) >= 12
    for name in names:
        make = [vllm_python, SCRIPTS / "tiny_model.py", tmp_path / name, "--arch", name]
        subprocess.run(make, check=True, capture_output=True)
    done = subprocess.run(
        [vllm_python, "-c", LOAD, tmp_path],
        capture_output=True,
        text=True,
        check=False,
        env={"HF_HUB_OFFLINE": "1"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = [json.loads(line[6:]) for line in done.stdout.splitlines() if line.startswith("FOUND ")]
    assert [one["name"] for one in found] == sorted(names)
    for one in found:
        assert one["wrong"] == {}, one
        assert one["tokens"] <= one["rows"], one
        assert one["round_trip"] == "hello, wörld"
        assert "hello there" in one["chat"]


def test_the_same_arguments_give_the_same_bytes(vllm_python: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        make = [vllm_python, SCRIPTS / "tiny_model.py", tmp_path / name, "--dtype", "float16", "--seed", "7"]
        subprocess.run(make, check=True, capture_output=True)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name
