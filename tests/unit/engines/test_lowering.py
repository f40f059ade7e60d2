"""What holds for lowering whatever the engine and the version."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lowering_cases import SECTIONS, deploy, lower, parsed, unsaid

from servespec.deployment import Deployment
from servespec.engines import engine_names, get_engine
from servespec.engines.flag_catalogue import known_versions
from servespec.engines.paths import Paths

VERSIONS = [(engine, version) for engine in engine_names() for version in known_versions(engine)]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(VERSIONS), SECTIONS)
def test_every_version_accepts_the_flags_it_is_given(
    which: tuple[str, str], sections: dict[str, object]
) -> None:
    engine, version = which
    launch = lower(engine, version, **sections)
    errors = [p for p in parsed(launch).problems if p.code != "deprecated-flag"]
    assert errors == [], (launch.flags, errors)


@pytest.mark.parametrize("engine", engine_names())
def test_defaults_of_the_version_are_not_repeated(engine: str) -> None:
    values = parsed(lower(engine)).values
    assert set(values) <= {"host", "hostname", "port", "model_tag", "model_path", "model_id", "num_shard"}


@pytest.mark.parametrize(
    ("written", "path"), [("./a\\b", "a\\b"), ("~nobody-of-this-name/w", "~nobody-of-this-name/w")]
)
def test_a_folder_with_an_odd_name_keeps_it(written: str, path: str) -> None:
    deployment = deploy("vllm", model={"id": "Qwen/Qwen3-8B", "adapters": {"modules": {"a": written}}})
    assert Paths(deployment=deployment, container=False)(written).endswith(f"/{path}")


@pytest.mark.parametrize("engine", engine_names())
def test_a_reference_in_env_is_a_secret_and_a_value_is_not(engine: str) -> None:
    launch = lower(
        engine,
        env={"HF_TOKEN": "${MY_TOKEN}", "OTHER_TOKEN": "${OTHER_TOKEN:?no token}", "NCCL_DEBUG": "WARN"},
    )
    assert launch.secrets == {"HF_TOKEN": "MY_TOKEN", "OTHER_TOKEN": "OTHER_TOKEN"}
    assert launch.environment["NCCL_DEBUG"] == "WARN"


@pytest.mark.parametrize("engine", engine_names())
def test_the_targets_environment_goes_before_the_specs(engine: str) -> None:
    targets = {engine: {"env": {"A": "target", "ON": True}}}
    launch = lower(engine, env={"A": "spec", "B": 1}, targets=targets)
    assert {name: launch.environment[name] for name in "AB"} == {"A": "target", "B": "1"}
    assert launch.environment["ON"] == "true"


@pytest.mark.parametrize("engine", engine_names())
def test_the_api_key_is_never_a_word_of_the_command(engine: str) -> None:
    launch = lower(engine, server={"api_key_env": "SERVER_KEY"})
    assert "SERVER_KEY" in [*launch.secrets.values(), *(name for _, name in launch.secret_flags)]
    assert not any("SERVER_KEY" in word for word in launch.flags)
    assert "secret" in launch.argv_with_secrets({"SERVER_KEY": "secret"}) or not launch.secret_flags


@pytest.mark.parametrize("engine", engine_names())
def test_a_container_binds_every_address_and_the_host_what_the_spec_says(engine: str) -> None:
    launch = lower(engine, server={"host": "127.0.0.1"})
    assert "127.0.0.1" in launch.flags
    assert "0.0.0.0" in launch.container_flags
    assert "127.0.0.1" not in launch.container_flags


@pytest.mark.parametrize("engine", engine_names())
def test_a_reference_under_args_is_a_secret_too(engine: str) -> None:
    launch = lower(engine, args={"api_key": "${SERVER_KEY}"})
    assert launch.secret_flags == (("--api-key", "SERVER_KEY"),)
    assert not any("SERVER_KEY" in word for word in launch.flags)


@pytest.mark.parametrize(("engine", "host"), [("vllm", "host"), ("sglang", "host"), ("tgi", "hostname")])
def test_an_address_under_args_replaces_the_usual_one_outside_of_containers(engine: str, host: str) -> None:
    launch = lower(engine, args={host: "127.0.0.9", "port": 9001})
    assert (launch.host, launch.port) == ("127.0.0.9", 9001)
    assert "127.0.0.9" in launch.flags
    assert "127.0.0.9" not in launch.container_flags
    assert "9001" in launch.container_flags


def test_shards_under_args_replace_the_one_that_is_always_said() -> None:
    assert parsed(lower("tgi", args={"num_shard": 2})).values["num_shard"] == 2


@pytest.mark.parametrize("engine", engine_names())
def test_the_specs_image_goes_before_the_engines(engine: str) -> None:
    assert (
        lower(engine, targets={engine: {"image": "mirror/x@sha256:ab"}}).image.reference
        == "mirror/x@sha256:ab"
    )


@pytest.mark.parametrize(
    ("engine", "version", "gpu", "image"),
    [
        ("vllm", "0.25.1", "H100-80GB", "vllm/vllm-openai:v0.25.1"),
        ("vllm", "0.25.1", "MI300X", "vllm/vllm-openai-rocm:v0.25.1"),
        ("vllm", "nightly", "H100-80GB", "vllm/vllm-openai:nightly"),
        ("sglang", "0.5.17", "H100-80GB", "lmsysorg/sglang:v0.5.17"),
        ("sglang", "0.5.17", "MI300X", "lmsysorg/sglang:v0.5.17-rocm720-mi30x"),
        ("sglang", "0.5.17", "MI355X", "lmsysorg/sglang:v0.5.17-rocm720-mi35x"),
        ("tgi", "3.3.7", "H100-80GB", "ghcr.io/huggingface/text-generation-inference:3.3.7"),
        ("tgi", "3.3.7", "MI300X", "ghcr.io/huggingface/text-generation-inference:3.3.7-rocm"),
    ],
)
def test_images_are_pinned_by_version_and_accelerator(
    engine: str, version: str, gpu: str, image: str
) -> None:
    assert lower(engine, version, hardware={"gpu": gpu}).image.reference == image


@pytest.mark.parametrize("engine", engine_names())
def test_bigger_checkpoints_may_load_for_longer(engine: str) -> None:
    small, big = (
        lower(engine, model={"id": name}, hardware={"gpu": "H200", "count": 8}).load_seconds
        for name in ("meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Llama-3.3-70B-Instruct")
    )
    assert big > small + 1000


def paths(directory: str, *, container: bool) -> Paths:
    deployment: Deployment = deploy("vllm")
    object.__setattr__(deployment, "directory", Path(directory))
    return Paths(deployment=deployment, container=container)


@pytest.mark.parametrize(
    ("name", "host", "inside"),
    [
        ("org/model", "org/model", "org/model"),
        ("./model", "./specs/model", "/models/model"),
        ("../model", "./model", "/models/model"),
        ("../../model", "../model", "/models/model"),
        ("/srv/model/", "/srv/model", "/models/model"),
        ("-model", "./-model", "./-model"),
    ],
)
def test_folders_are_found_from_the_specs_own(name: str, host: str, inside: str) -> None:
    assert paths("specs", container=False)(name) == host
    assert paths("specs", container=True)(name) == inside


def test_a_flag_under_args_that_a_key_sets_too_is_left_to_the_key() -> None:
    launch = lower(
        "vllm", args={"max-model-len": 1, "tp": 4}, limits={"max_model_len": 4096}, parallel={"tensor": 2}
    )
    assert parsed(launch).values["max_model_len"] == 4096
    assert parsed(launch).values["tensor_parallel_size"] == 2


@pytest.mark.parametrize(
    ("args", "name", "value"),
    [
        ({"enforce_eager": True}, "enforce_eager", True),
        ({"--enforce-eager": True}, "enforce_eager", True),
        ({"no_enable_chunked_prefill": True}, "enable_chunked_prefill", False),
        (
            {"compilation_config": {"mode": 3}, "compilation_config.cudagraph_mode": "FULL"},
            "compilation_config",
            {"mode": 3, "cudagraph_mode": "FULL"},
        ),
        ({"seed": None}, "seed", None),
    ],
)
def test_args_are_written_however_they_are_spelled(args: dict[str, object], name: str, value: object) -> None:
    assert parsed(lower("vllm", "0.32.0", args)).values.get(name) == value


def test_a_flag_that_no_catalogue_knows_is_written_as_it_stands() -> None:
    launch = lower("vllm", "0.99.0", {"brand_new": 7, "brand_new_switch": True, "brand_new_off": False})
    assert launch.flags[-2:] == ("--brand-new=7", "--brand-new-switch")


def test_what_a_version_cannot_express_names_those_that_can() -> None:
    message = unsaid("vllm", "0.6.0", parallel={"data": 2})["parallel.data"]
    assert message == "vLLM 0.6.0 cannot express parallel.data (versions that can: 0.8.3 and later)"


@pytest.mark.parametrize("engine", engine_names())
def test_a_plain_spec_is_expressible_by_every_version(engine: str) -> None:
    for version in known_versions(engine):
        assert unsaid(engine, version, limits={"max_model_len": 4096}, parallel={"tensor": 2}) == {}


def test_diagnostics_come_with_engine_key_and_a_way_out() -> None:
    (found,) = get_engine("vllm").inexpressible(deploy("vllm", limits={"max_input_tokens": 100}))
    assert (found.engine, found.key, found.severity) == ("vllm", "limits.max_input_tokens", "warning")
    assert found.fix is not None
    assert "limits.max_model_len" in found.fix.message
