"""``hardware: {gpu: local}`` where there is more than one GPU, against a stand-in for the driver."""

from pathlib import Path

import pytest

from servespec.api import load, resolve
from servespec.hardware import find
from servespec.hardware.nvml import TooFewGPUsError, inventory
from servespec.hardware.visible import server_gpus, visible
from tests.support.nvml_driver import MIB, Card, Driver, install

GIB = 2**30


def card(number: int, **changes: object) -> Card:
    return Card(uuid=f"GPU-{number}f2d6c1e-0000-4000-8000-1234567890ab", **changes)  # type: ignore[arg-type]


H200, USED = card(0), card(1, used_mib=40_000)
SMALL = card(2, name="NVIDIA L4", total_bytes=24 * GIB, reserved_bytes=GIB // 2)


def uuids(devices: str | None) -> list[str]:
    return [gpu.uuid[4] for gpu in visible(inventory(), devices)]


def test_the_gpu_with_the_least_free_memory_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Driver(cards=(H200, USED)))
    assert find("local").held_bytes == 0
    assert find("local", count=2).held_bytes == pytest.approx(40_000 * MIB, abs=4 * MIB)
    assert find("local", count=2).processes != ()


def test_of_different_gpus_the_smallest_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Driver(cards=(H200, USED, SMALL)))
    assert find("local", count=2).name == "H200-141GB"
    gpu = find("local", count=3)
    assert (gpu.name, gpu.total_bytes) == ("L4-24GB", 24 * GIB - GIB // 2)


def test_gpus_are_counted_in_cuda_s_order_not_in_the_driver_s(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Driver(cards=(SMALL, H200)), order=(H200, SMALL))
    assert [gpu.name for gpu in server_gpus(2)] == ["NVIDIA H200", "NVIDIA L4"]
    assert find("local").name == "H200-141GB"


def test_gpus_that_cuda_hides_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Driver(cards=(H200, USED)), order=(USED,))  # CUDA_VISIBLE_DEVICES=1
    assert find("local").held_bytes == 40_000 * MIB
    with pytest.raises(TooFewGPUsError, match=r"asks for 2 local GPUs and one GPU is"):
        find("local", count=2)


@pytest.mark.parametrize(
    ("devices", "shown"),
    [
        (None, ["0", "1", "2"]),
        ("1,0", ["1", "0"]),
        ("2", ["2"]),
        ("1,-1,0", ["1"]),
        ("0,7,1", ["0"]),
        ("0,0", ["0"]),
        ("GPU-1f2d,GPU-0f2d6c1e-0000-4000-8000-1234567890ab", ["1", "0"]),
        ("GPU-", []),
        ("", []),
    ],
)
def test_visible_devices_are_read_as_cuda_reads_them(
    devices: str | None, shown: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, Driver(cards=(H200, USED, SMALL)))
    assert uuids(devices) == shown


def test_a_card_split_by_mig_is_used_by_its_instances_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    instance = Card(
        name="NVIDIA H200 MIG 1g.18gb",
        uuid="MIG-5f2d6c1e-0000-4000-8000-1234567890ab",
        total_bytes=17 * GIB,
        reserved_bytes=0,
    )
    split = card(3, instances=(instance,))
    install(monkeypatch, Driver(cards=(split, H200)), order=(instance,))  # CUDA shows one instance a process
    assert [gpu.uuid for gpu in server_gpus()] == [instance.uuid]
    assert find("local").total_bytes == 17 * GIB
    assert [gpu.uuid for gpu in visible(inventory(), "MIG-5f2d")] == [instance.uuid]
    install(monkeypatch, Driver(cards=(split, H200)), usable=None)
    assert [gpu.uuid for gpu in server_gpus(2)] == [instance.uuid, H200.uuid]


def test_the_spec_s_own_variable_says_which_gpus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install(monkeypatch, Driver(cards=(H200, USED)))
    spec = tmp_path / "spec.yaml"
    found = []
    for env in ("{}", '{CUDA_VISIBLE_DEVICES: "1"}', "{CUDA_VISIBLE_DEVICES: 1}"):
        spec.write_text(
            "servespec: v1\nname: x\nmodel: {id: meta-llama/Llama-3.1-8B-Instruct}\n"
            f"hardware: {{gpu: local}}\nenv: {env}\n"
        )
        loaded = load(spec)
        assert loaded.spec is not None
        found.append(resolve(loaded.spec, "vllm", tmp_path).gpu.held_bytes)
    assert found == pytest.approx([0, 40_000 * MIB, 40_000 * MIB], abs=4 * MIB)  # the reader holds 3 itself
