"""What servespec renders, handed to the parsers of the real engines: one process for many command lines."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from lowering_cases import LLAMA, lower

from servespec.engines.launch import Launch, Variable
from servespec.render import render
from servespec.render.words import Word, command_line

ROOT = Path(__file__).resolve().parents[2]
VERSIONS = {"vllm": "0.32.0", "sglang": "0.5.23"}
SEED = 20
CHOICES: dict[str, list[dict[str, object]]] = {
    "model": [
        {},
        {"model": {"id": LLAMA, "revision": "main", "dtype": "bfloat16", "trust_remote_code": True}},
        {"model": {"id": "Qwen/Qwen2.5-7B-Instruct-AWQ", "quantization": "awq_marlin"}},
        {"model": {"id": LLAMA, "adapters": {"max_loras": 2, "max_rank": 16, "modules": {"sql": "org/sql"}}}},
        {"model": {"id": "./weights", "config": "examples/tiny-llama/config.json"}},
    ],
    "limits": [
        {},
        {"limits": {"max_model_len": 4096, "max_concurrent_requests": 64, "max_batched_tokens": 8192}},
        {"limits": {"gpu_memory_fraction": 0.8}},
    ],
    "parallel": [
        {},
        {"parallel": {"tensor": 2, "pipeline": 2, "data": 2}},
        {"parallel": {"tensor": 4, "expert": True}},
        {"parallel": {"tensor": 8, "pipeline": 2}, "hardware": {"gpu": "H100-80GB", "count": 8, "nodes": 2}},
    ],
    "kv_cache": [
        {},
        {"kv_cache": {"dtype": "fp8", "prefix_caching": False, "block_size": 32}},
        {"kv_cache": {"prefix_caching": True, "cpu_offload_gib": 4, "space_gib": 2.5}},
    ],
    "speculative": [
        {},
        {"speculative": {"method": "ngram", "tokens": 4}},
        {"speculative": {"method": "mtp", "tokens": 1}},
    ],
    "server": [
        {},
        {"server": {"host": "::", "served_model_name": "a name", "api_key_env": "KEY"}},
        {"server": {"served_model_name": "-x"}},
    ],
}


def cases(engine: str) -> list[Launch]:
    """Each choice once by itself, and forty random combinations."""
    shuffled = random.Random(SEED)
    picks = [dict(choice) for options in CHOICES.values() for choice in options]
    picks += [
        {key: value for options in CHOICES.values() for key, value in shuffled.choice(options).items()}
        for _ in range(40)
    ]
    return [lower(engine, VERSIONS[engine], **sections) for sections in picks]


def word(value: Word) -> str:
    """A word as it is where the server starts: variables have some value."""
    return {"NODE_RANK": "1"}.get(value.name, "head") + value.suffix if isinstance(value, Variable) else value


def command(launch: Launch, rank: int | None = None) -> list[str]:
    words = [word(item) for item in command_line(launch, container=False, rank=rank)]
    return ["serve", *words] if launch.engine == "vllm" else words


def ask(engine: str, argvs: list[list[str]]) -> list[dict[str, object]]:
    """What the engine's own parser answers to each."""
    found = subprocess.run(
        [sys.executable, str(ROOT / "scripts/engines/install.py"), engine],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr[-2000:]
    done = subprocess.run(
        [found.stdout.strip().splitlines()[-1], str(ROOT / f"tests/engines/parse_{engine}.py")],
        input="".join(json.dumps(argv) + "\n" for argv in argvs),
        capture_output=True,
        text=True,
        check=False,
    )
    answers = [json.loads(line[7:]) for line in done.stdout.splitlines() if line.startswith("ANSWER ")]
    assert len(answers) == len(argvs), done.stderr[-2000:]
    return answers


@pytest.mark.engine
@pytest.mark.parametrize("engine", sorted(VERSIONS))
def test_the_real_parser_accepts_every_command_line_and_reads_the_same_from_the_file(
    engine: str, tmp_path: Path
) -> None:
    launches = cases(engine)
    written = [command(launch) for launch in launches]
    workers = [command(launch, rank=1) for launch in launches if launch.cluster is not None]
    files: list[tuple[int, list[str]]] = []
    for number, launch in enumerate(launches):
        if launch.config is None or launch.cluster is not None:
            continue
        (artefact,) = render(_deployment(engine), "config", launch=launch)
        path = tmp_path / f"{number}.yaml"
        path.write_text(artefact.text)
        secret = [word(item) for flag, name in launch.secret_flags for item in (flag, Variable(name))]
        start = ["serve"] if engine == "vllm" else []
        files.append((number, [*start, *launch.config_flags, "--config", str(path), *secret]))
    bad = ["serve", "m", "--no-such-flag"] if engine == "vllm" else ["--model-path", "m", "--no-such-flag"]
    answers = ask(engine, [*written, *workers, *(argv for _, argv in files), bad])
    assert answers.pop()["ok"] is False, "a parser that accepts anything proves nothing"
    refused = [
        (argv, answer["error"])
        for argv, answer in zip([*written, *workers, *(argv for _, argv in files)], answers, strict=True)
        if not answer["ok"]
    ]
    assert refused == []
    from_files = answers[len(written) + len(workers) :]
    for (number, argv), answer in zip(files, from_files, strict=True):
        assert answer["values"] == answers[number]["values"] | _model(engine, answer), argv


def _deployment(engine: str) -> object:
    from lowering_cases import deploy

    return deploy(engine, VERSIONS[engine])


def _model(engine: str, answer: dict[str, object]) -> dict[str, object]:
    """vLLM keeps the model under another name when it stands in the file."""
    values = answer["values"]
    assert isinstance(values, dict)
    return {name: values[name] for name in ("model", "model_tag")} if engine == "vllm" else {}
