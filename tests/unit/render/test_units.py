"""Units of systemd and podman, held against what those take."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from cluster_cases import CASES, FULL, made
from render_cases import SCHEMAS

from servespec.engines import engine_names
from servespec.render.container import qualified

UNITS = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


@UNITS
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("engine", engine_names())
def test_units_are_what_systemd_takes(engine: str, case: str, tmp_path: Path) -> None:
    path = tmp_path / "a-model.service"
    path.write_text(made(engine, CASES[case], "systemd", ".service"))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    path.write_text(path.read_text().replace("[Service]\n", "[Service]\nNoSuchKey=1\n"))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(path)], capture_output=True, text=True, check=False
    )
    assert "NoSuchKey" in done.stderr


def test_a_quadlet_waits_for_the_health_check_longer_than_loading_takes() -> None:
    unit = made("vllm", FULL, "quadlet", ".container")
    values = dict(
        line.split("=", 1) for line in unit.splitlines() if "=" in line and not line.startswith("#")
    )
    assert values["Notify"] == "healthy"
    assert int(values["TimeoutStartSec"]) > int(values["HealthStartPeriod"].rstrip("s"))
    assert "AddDevice=nvidia.com/gpu=1" in unit
    assert "Secret=MY_TOKEN,type=env,target=HF_TOKEN" in unit


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("engine", engine_names())
def test_a_quadlet_has_only_keys_that_podman_knows(engine: str, case: str) -> None:
    group = made(engine, CASES[case], "quadlet", ".container").split("[Container]")[1].split("[Service]")[0]
    used = {line.split("=", 1)[0] for line in group.splitlines() if "=" in line and not line.startswith("#")}
    known = set(json.loads((SCHEMAS / "quadlet.json").read_text("utf-8"))["keys"])
    assert used <= known
    assert {"Image", "Exec", "HealthCmd"} <= used


def test_a_secret_that_is_a_flag_is_read_inside_the_container_of_a_quadlet() -> None:
    unit = made("sglang", FULL, "quadlet", ".container")
    assert 'Entrypoint=["/bin/sh", "-c"]' in unit
    assert "exec python3 -m sglang.launch_server" in unit
    assert '--api-key \\"$${SERVER_KEY:?}\\"' in unit


@pytest.mark.parametrize(
    ("reference", "shown"),
    [
        ("vllm/vllm-openai:v0.25.1", "docker.io/vllm/vllm-openai:v0.25.1"),
        ("server:1", "docker.io/library/server:1"),
        ("ghcr.io/huggingface/text-generation-inference:3.3.7", None),
        ("localhost/vllm:1", None),
        ("hub.local:5000/vllm", None),
    ],
)
def test_podman_is_told_the_registry_of_every_image(reference: str, shown: str | None) -> None:
    assert qualified(reference) == (shown or reference)
    assert f"Image={qualified('vllm/vllm-openai')}:" in made("vllm", FULL, "quadlet", ".container")
