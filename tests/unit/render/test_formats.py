import ast
import json
import shlex
from pathlib import Path

import pytest
import yaml
from render_cases import CLUSTER, COMPOSE, RAY, make_deployment, make_launch

from servespec.deployment import Deployment
from servespec.engines.launch import Launch
from servespec.errors import RenderError
from servespec.render import available_formats, format_names, render
from servespec.render.header import is_untouched

EVERYTHING: dict[str, object] = {
    "metrics_path": "/metrics",
    "batch_command": ("vllm", "run-batch", "--model", "org/model"),
    "orchestrators": frozenset({"kserve", "llm-d", "production-stack", "ray-serve"}),
}


def text(deployment: Deployment, launch: Launch, format_name: str, ending: str = "") -> str:
    return next(
        artefact.text
        for artefact in render(deployment, format_name, launch=launch)
        if artefact.path.endswith(ending)
    )


def service(deployment: Deployment, launch: Launch) -> dict[str, object]:
    document = yaml.safe_load(text(deployment, launch, "compose"))
    COMPOSE.validate(document)
    (found,) = document["services"].values()
    return found


@pytest.mark.parametrize("format_name", format_names())
def test_every_format_is_the_same_twice_and_carries_a_hash_that_holds(
    format_name: str, deployment: Deployment
) -> None:
    launches = (make_launch(**EVERYTHING), make_launch(**EVERYTHING, nodes=2, cluster=CLUSTER))
    launch = next(launch for launch in launches if format_name in available_formats(launch))
    once, again = (render(deployment, format_name, launch=launch) for _ in range(2))
    assert once == again
    assert once
    for artefact in once:
        assert is_untouched(artefact.text)
        assert artefact.text.endswith("\n")
        assert not artefact.path.startswith("/")


def test_an_unknown_format_is_refused_with_those_there_are(deployment: Deployment, launch: Launch) -> None:
    with pytest.raises(RenderError, match="compose"):
        render(deployment, "docker-compose", launch=launch)


def test_a_format_that_the_engine_lacks_is_refused(deployment: Deployment) -> None:
    with pytest.raises(RenderError, match="cannot be rendered as offline"):
        render(deployment, "offline", launch=make_launch(offline=None))


def test_argv_names_secrets_by_their_variable(deployment: Deployment) -> None:
    launch = make_launch(secrets={"HF_TOKEN": "MY_TOKEN"}, secret_flags=(("--api-key", "KEY"),))
    document = json.loads(text(deployment, launch, "argv"))
    assert document["argv"] == ["vllm", "serve", "org/model", "--port", "8000", "--api-key", "${KEY}"]
    assert document["secrets"] == {"HF_TOKEN": "MY_TOKEN"}


def test_a_shell_script_runs_the_command(deployment: Deployment) -> None:
    launch = make_launch(environment={"A": "b c"}, secrets={"HF_TOKEN": "MY_TOKEN"})
    lines = text(deployment, launch, "shell").splitlines()
    assert lines[0] == "#!/bin/sh"
    assert "export A='b c'" in lines
    assert 'export HF_TOKEN="${MY_TOKEN:?}"' in lines
    words = shlex.split(text(deployment, launch, "shell").split("exec ")[1].replace("\\\n", " "))
    assert words == list(launch.argv)


def test_a_shell_script_for_several_nodes_asks_for_the_rank(deployment: Deployment) -> None:
    script = text(deployment, make_launch(nodes=2, cluster=CLUSTER), "shell")
    assert '--node-rank "${NODE_RANK:?}"' in script
    assert script.count("--headless") == 1


def test_an_environment_file_passes_secrets_on_by_name(deployment: Deployment) -> None:
    launch = make_launch(environment={"A": "b # $c 'd'"}, secrets={"HF_TOKEN": "HF_TOKEN"})
    lines = text(deployment, launch, "env").splitlines()
    assert "A=b # $c 'd'" in lines
    assert "HF_TOKEN" in lines


def test_an_environment_file_cannot_hold_several_lines(deployment: Deployment) -> None:
    with pytest.raises(RenderError, match="MOTTO has a value of several lines"):
        render(deployment, "env", launch=make_launch(environment={"MOTTO": "a\nEVIL=b"}))


def test_compose_reserves_the_gpus(deployment: Deployment) -> None:
    found = service(deployment, make_launch(gpus_per_node=4))
    (device,) = found["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": 4, "capabilities": ["gpu"]}


def test_compose_gives_amds_devices(deployment: Deployment) -> None:
    found = service(deployment, make_launch(gpu_kind="rocm"))
    assert found["devices"] == ["/dev/kfd:/dev/kfd", "/dev/dri:/dev/dri"]
    assert "video" in found["group_add"]
    assert "deploy" not in found


def test_compose_for_a_cpu_reserves_no_gpu(deployment: Deployment) -> None:
    found = service(deployment, make_launch(gpu_kind="cpu", gpus_per_node=0))
    assert "deploy" not in found
    assert "devices" not in found


def test_compose_waits_as_long_as_loading_takes(deployment: Deployment) -> None:
    found = service(deployment, make_launch(load_seconds=1234, stop_seconds=120))
    assert found["healthcheck"]["start_period"] == "1234s"
    assert found["healthcheck"]["test"][0] == "CMD"
    assert found["stop_grace_period"] == "120s"
    assert found["restart"] == "unless-stopped"


def test_compose_refers_to_secrets_and_fails_without_them(deployment: Deployment) -> None:
    found = service(deployment, make_launch(secrets={"HF_TOKEN": "MY_TOKEN"}))
    assert found["environment"]["HF_TOKEN"] == "${MY_TOKEN:?set MY_TOKEN}"


def test_compose_keeps_dollars_from_being_interpolated(deployment: Deployment) -> None:
    found = service(
        deployment, make_launch(container_flags=("--motto", "$HOME ${HOME}"), environment={"A": "$b"})
    )
    assert found["command"] == ["--motto", "$$HOME $${HOME}"]
    assert found["environment"]["A"] == "$$b"


def test_compose_mounts_a_named_volume_for_weights_and_one_for_compiled_code(deployment: Deployment) -> None:
    document = yaml.safe_load(text(deployment, make_launch(), "compose"))
    (found,) = document["services"].values()
    assert {volume["target"] for volume in found["volumes"]} == {
        "/root/.cache/huggingface",
        "/root/.cache/vllm",
    }
    assert {volume["source"] for volume in found["volumes"]} == set(document["volumes"])


def test_compose_mounts_a_folder_that_is_named_as_the_cache() -> None:
    deployment = make_deployment(deploy={"cache_volume": "/srv/weights"})
    found = service(deployment, make_launch())
    assert {"type": "bind", "source": "/srv/weights", "target": "/root/.cache/huggingface"} in found[
        "volumes"
    ]


@pytest.mark.parametrize(
    ("host", "published"),
    [
        ("0.0.0.0", "8000:8000"),
        ("::", "8000:8000"),
        ("127.0.0.1", "127.0.0.1:8000:8000"),
        ("localhost", "127.0.0.1:8000:8000"),
        ("::1", "[::1]:8000:8000"),
        ("inference.internal", "8000:8000"),
    ],
)
def test_compose_publishes_where_the_spec_listens(deployment: Deployment, host: str, published: str) -> None:
    assert service(deployment, make_launch(host=host))["ports"] == [published]


def test_compose_for_several_nodes_uses_the_hosts_network(deployment: Deployment) -> None:
    found = service(deployment, make_launch(nodes=2, cluster=CLUSTER))
    assert found["network_mode"] == "host"
    assert "ports" not in found
    assert found["environment"]["NODE_RANK"] == "0"
    assert "healthcheck" in found


def worker(deployment: Deployment, launch: Launch) -> dict[str, object]:
    document = yaml.safe_load(text(deployment, launch, "compose", ".worker.compose.yaml"))
    COMPOSE.validate(document)
    (found,) = document["services"].values()
    return found


def test_compose_for_the_other_nodes_has_no_server_to_ask(deployment: Deployment) -> None:
    found = worker(deployment, make_launch(nodes=2, cluster=CLUSTER))
    assert found["command"][-3:] == ["--master-addr", "${HEAD_ADDRESS:?}", "--headless"]
    assert found["healthcheck"] == {"disable": True}


def test_a_cluster_manager_is_started_before_the_server_and_in_its_place_on_the_others(
    deployment: Deployment,
) -> None:
    launch = make_launch(nodes=2, cluster=RAY)
    head = service(deployment, launch)
    assert head["entrypoint"] == ["/bin/sh", "-c"]
    assert head["command"] == ["ray start --head && exec vllm serve org/model --port 8000"]
    other = worker(deployment, launch)
    assert other["entrypoint"] == ["ray"]
    assert other["command"] == ["start", "--address", "${HEAD_ADDRESS:?}:6379"]
    script = text(deployment, launch, "docker")
    assert "--entrypoint /bin/sh" in script
    assert '"${HEAD_ADDRESS:?}":6379' in script


def test_docker_gives_an_image_with_its_own_entry_point_flags_alone(deployment: Deployment) -> None:
    launch = make_launch()
    image = type(launch.image)(reference="tgi:1", entrypoint_is_server=True, cache_directory="/data")
    script = text(deployment, make_launch(image=image), "docker")
    assert "--entrypoint" not in script
    assert "tgi:1 org/model \\\n  --port 8000" in script


def test_docker_quotes_a_path_with_a_comma_as_csv(deployment: Deployment) -> None:
    script = text(deployment, make_launch(mounts=(("/a,b", "/models/a"),)), "docker")
    assert "'type=bind,\"source=/a,b\",target=/models/a,readonly'" in script


def test_a_configuration_file_says_how_it_is_read(deployment: Deployment) -> None:
    written = text(
        deployment, make_launch(config={"port": 8000, "speculative-config": {"method": "ngram"}}), "config"
    )
    assert yaml.safe_load(written) == {"port": 8000, "speculative-config": {"method": "ngram"}}
    assert "# Read by: vllm serve --config a-model.config.yaml" in written


@pytest.mark.parametrize("engine", ["vllm", "sglang"])
def test_offline_programs_hand_the_arguments_to_the_engines_class(
    engine: str, deployment: Deployment
) -> None:
    arguments = {"model": "org/model", "json": {"a": [1, None, True]}, "list": ("a",)}
    program = ast.parse(text(deployment, make_launch(engine=engine, offline=arguments), "offline"))
    assigned = next(
        node.value
        for node in program.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "ENGINE_ARGUMENTS"
    )
    assert ast.literal_eval(assigned) == {"model": "org/model", "json": {"a": [1, None, True]}, "list": ["a"]}


def test_clients_take_the_key_from_the_environment() -> None:
    deployment = make_deployment(server={"api_key_env": "MY_KEY"})
    assert 'Bearer "${MY_KEY:?}"'.replace('"$', '""$') in text(
        deployment, make_launch(), "client", ".curl.sh"
    )
    assert "os.environ['MY_KEY']" in text(deployment, make_launch(), "client", ".openai.py")


def test_compose_names_folders_from_where_it_lies(deployment: Deployment) -> None:
    launch = make_launch(mounts=(("./models/a", "/models/a"), ("/srv/b", "/models/b")))
    (made,) = render(deployment, "compose", launch=launch, folder=Path("deploy/prod"))
    (found,) = yaml.safe_load(made.text)["services"].values()
    sources = [volume["source"] for volume in found["volumes"] if volume["type"] == "bind"]
    assert sources == ["../../models/a", "/srv/b"]


def test_the_workload_becomes_commands_of_other_load_generators() -> None:
    workload = {
        "input_tokens": 600,
        "output_tokens": 50,
        "concurrency": 8,
        "requests": 20,
        "shared_prefix_tokens": 100,
    }
    deployment = make_deployment(workload=workload)
    vllm = text(deployment, make_launch(), "bench", ".vllm-bench.sh")
    for words in (
        "--random-input-len 500",
        "--random-prefix-len 100",
        "--random-output-len 50",
        "--num-prompts 20",
    ):
        assert words in vllm
    assert "--max-concurrency 8" in vllm
    guidellm = text(deployment, make_launch(), "bench", ".guidellm.sh")
    assert "kind=concurrent,streams=8" in guidellm
    assert "prompt_tokens=600,output_tokens=50" in guidellm


def test_a_request_rate_opens_the_loop() -> None:
    deployment = make_deployment(workload={"requests_per_second": 2.5})
    assert "--request-rate 2.5" in text(deployment, make_launch(), "bench", ".vllm-bench.sh")
    assert "kind=poisson,rate=2.5" in text(deployment, make_launch(), "bench", ".guidellm.sh")
