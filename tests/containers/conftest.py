"""Podman for the tests of this folder, or the reason why there is none."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from container_images import ROOT, container_environment, environment
from real_engines import install

SpecMaker = Callable[..., Path]


@pytest.fixture(scope="session")
def podman() -> Iterator[None]:
    with environment(container_environment()):
        yield


@pytest.fixture(scope="session")
def vllm_python() -> Path:
    return install("vllm")


@pytest.fixture
def spec_file(tmp_path: Path) -> SpecMaker:
    """The example for one engine on a free port, with an image of its own."""

    def make(engine: str, image: str, model: Path) -> Path:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        overlay = {
            "servespec": "v1",
            "extends": "./tiny-cpu.yaml",
            "name": f"tiny-{engine}",
            "model": {"id": str(model), "config": str(model / "config.json")},
            "server": {"port": port},
            "targets": {engine: {"image": image}},
        }
        (tmp_path / "tiny-cpu.yaml").write_text((ROOT / "examples" / "tiny-cpu.yaml").read_text())
        path = tmp_path / f"tiny-{engine}.yaml"
        path.write_text(json.dumps(overlay))
        return path

    return make
