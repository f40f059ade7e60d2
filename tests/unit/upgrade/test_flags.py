"""What changed between two releases of an engine."""

from __future__ import annotations

import pytest

from servespec.engines import engine_names
from servespec.engines.flag_catalogue import known_versions, load
from servespec.upgrade import flag_changes


def changes(engine: str, old: str, new: str) -> dict[tuple[str, str], str]:
    return {(c.kind, c.name): c.message for c in flag_changes(load(engine, old), load(engine, new))}


def test_a_flag_that_went_is_told_with_the_release_and_what_to_do() -> None:
    found = changes("vllm", "0.10.2", "0.33.0")
    assert found["removed", "swap_space"].startswith("--swap-space was removed in 0.18.0: leave it out")
    assert "give structured_outputs_config.backend" in found["removed", "guided_decoding_backend"]


def test_a_default_that_moved_and_a_flag_that_came_are_told() -> None:
    found = changes("vllm", "0.10.2", "0.33.0")
    assert found["default", "gpu_memory_utilization"].endswith("the default was 0.9 and is 0.92")
    assert ("added", "kv_offloading_size") in found


def test_a_deprecation_names_its_successor() -> None:
    assert changes("sglang", "0.5.10", "0.5.23")["deprecated", "enable_dp_attention"].endswith(
        "use --attn-dp-size"
    )


@pytest.mark.parametrize("engine", engine_names())
def test_a_release_has_no_difference_to_itself(engine: str) -> None:
    for version in known_versions(engine)[::7]:
        assert flag_changes(load(engine, version), load(engine, version)) == ()


@pytest.mark.parametrize("engine", engine_names())
def test_what_is_added_one_way_is_removed_the_other(engine: str) -> None:
    first, last = known_versions(engine)[0], known_versions(engine)[-1]
    forth, back = changes(engine, first, last), changes(engine, last, first)
    came = {name for kind, name in forth if kind == "added"}
    went = {name for kind, name in back if kind == "removed"}
    assert came == went
    assert came
