"""The real engines for CPU, installed once, and one server at a time."""

from __future__ import annotations

import fcntl
import json
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from real_engines import MARK, ROOT, SCRIPTS, install

SpecMaker = Callable[..., Path]


@pytest.fixture(scope="session")
def vllm_python() -> Path:
    return install("vllm")


@pytest.fixture(scope="session")
def sglang_python() -> Path:
    return install("sglang")


@pytest.fixture(scope="module")
def one_engine_at_a_time() -> Iterator[None]:
    """Two engines that start at once on two cores take longer than they are given."""
    with (Path(tempfile.gettempdir()) / "servespec-tests-engine.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def tiny_weights(vllm_python: Path) -> Path:
    """The weights and the tokenizer of the example's model, made where the example looks for them."""
    folder = ROOT / "examples" / "tiny-llama"
    config = json.loads((folder / "config.json").read_text())
    subprocess.run([vllm_python, SCRIPTS / "tiny_model.py", folder], check=True, capture_output=True)
    made = json.loads((folder / "config.json").read_text())
    assert made == config, "tiny_model.py no longer makes the model that the example is about"
    return folder


@pytest.fixture(scope="module")
def spec_file(tmp_path_factory: pytest.TempPathFactory, tiny_weights: Path) -> SpecMaker:
    """The example on a free port, with changes laid over it."""

    def make(**changes: object) -> Path:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        model = {"id": str(tiny_weights), "config": str(tiny_weights / "config.json")}
        overlay = {
            "servespec": "v1",
            "extends": "./tiny-cpu.yaml",
            "model": model,
            "server": {"port": port},
            **changes,
        }
        path = tmp_path_factory.mktemp("spec") / "tiny.yaml"
        shutil.copy(ROOT / "examples" / "tiny-cpu.yaml", path.parent)
        path.write_text(json.dumps(overlay))  # JSON is YAML
        return path

    return make


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch) -> str:
    value = uuid.uuid4().hex
    monkeypatch.setenv(MARK, value)
    return value
