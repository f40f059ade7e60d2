"""Which starts encode dummy images while they profile."""

from collections.abc import Mapping

import pytest

from servespec.engines.vllm.activation.persistent import images_are_profiled
from servespec.engines.vllm.memory import budget
from servespec.models.sources.catalogue import read
from tests.unit.engines.vllm.deployments import deploy

NO_IMAGES = {"limit_mm_per_prompt": {"image": 0, "video": 0}}
VL = "Qwen/Qwen3-VL-8B-Instruct"


@pytest.mark.parametrize(
    ("version", "args", "expected"),
    [
        ("0.19.0", {}, True),
        ("0.25.1", {}, False),  # model runner V2, which a dense model takes
        ("0.26.0", {}, False),
        ("0.27.0", {}, True),
        ("0.32.0", {}, True),
        ("0.32.0", {"skip_mm_profiling": True}, False),
        ("0.32.0", {"language_model_only": True}, False),
        ("0.32.0", NO_IMAGES, False),
        ("0.32.0", {"limit_mm_per_prompt": '{"image": 0, "video": 0}'}, False),
    ],
)
def test_images_are_encoded_while_profiling(version: str, args: Mapping[str, object], expected: bool) -> None:
    found = read(VL)
    assert found is not None
    assert images_are_profiled(deploy(config=found.config, version=version, args=args)) is expected


def test_images_that_are_not_profiled_leave_their_bytes_to_the_cache() -> None:
    found = read(VL)
    assert found is not None
    with_images, without = (
        budget(deploy(config=found.config, version="0.32.0", args={"skip_mm_profiling": skip}))
        for skip in (False, True)
    )
    assert without.activation.size_bytes <= with_images.activation.size_bytes
    assert without.kv_cache_bytes >= with_images.kv_cache_bytes
