"""The clients that are rendered for TGI, run against its test double (tests/doubles/tgi), as rendered flags start it."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from lowering_cases import deploy

from servespec.deployment import Deployment
from servespec.engines import get_engine
from servespec.render import render, write

ROOT = Path(__file__).resolve().parents[3]
LAUNCHER = ROOT / "tests" / "doubles" / "tgi" / "launcher.py"


@pytest.fixture(scope="module")
def deployment() -> Deployment:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return deploy("tgi", "3.3.7", limits={"max_model_len": 512}, server={"host": "127.0.0.1", "port": port})


@pytest.fixture(scope="module", autouse=True)
def double(deployment: Deployment) -> Iterator[None]:
    launch = get_engine("tgi").lower(deployment)
    # The double refuses variables that TGI does not know.
    environment = {"PATH": os.environ["PATH"], **launch.environment}
    with subprocess.Popen(
        [sys.executable, LAUNCHER, *launch.flags],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            wait_for(f"http://127.0.0.1:{launch.port}/health", process)
            yield
        finally:
            process.terminate()


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(100):
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the double does not answer")


def run(deployment: Deployment, ending: str, folder: Path) -> str:
    (made,) = (made for made in render(deployment, "client") if made.path.endswith(ending))
    (path,) = write((made,), folder)
    command = [path] if made.executable else [sys.executable, path]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_huggingface_hub_gets_an_answer_a_stream_and_json(deployment: Deployment, tmp_path: Path) -> None:
    lines = run(deployment, ".native.py", tmp_path).splitlines()
    assert len(lines) >= 3


def test_the_openai_package_gets_an_answer_and_a_stream(deployment: Deployment, tmp_path: Path) -> None:
    assert len(run(deployment, ".openai.py", tmp_path)) > 2


def test_curl_gets_an_answer(deployment: Deployment, tmp_path: Path) -> None:
    assert json.loads(run(deployment, ".curl.sh", tmp_path))["choices"]
