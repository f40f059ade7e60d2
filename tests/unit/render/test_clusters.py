"""What is rendered for clusters, held against the published schema of each kind."""

import json
import shlex
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from cluster_cases import (
    AMD,
    CASES,
    CPU,
    FULL,
    NODES,
    PLAIN,
    kubernetes,
    made,
    objects,
    pod_as_deployment,
    validate,
)
from lowering_cases import LLAMA, deploy
from render_cases import SCHEMAS

from servespec.engines import engine_names
from servespec.errors import RenderError
from servespec.render import render


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("engine", engine_names())
def test_kubernetes_objects_are_valid(engine: str, case: str) -> None:
    found = objects(made(engine, CASES[case], "kubernetes", ".kubernetes.yaml"))
    for document in found.values():
        kubernetes(document)
    assert ("PersistentVolumeClaim" in found) == (case != "amd")
    assert ("PodDisruptionBudget" in found) == (case == "full")


def test_kubernetes_validation_finds_a_misspelt_key() -> None:
    document = objects(made("vllm", PLAIN, "kubernetes", ".kubernetes.yaml"))["Deployment"]
    document["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes(document)


def container(engine: str, sections: dict[str, Any], version: str | None = None) -> dict[str, Any]:
    (found,) = pod(engine, sections, version)["containers"]
    return dict(found)


def pod(engine: str, sections: dict[str, Any], version: str | None = None) -> dict[str, Any]:
    document = objects(made(engine, sections, "kubernetes", ".kubernetes.yaml", version))["Deployment"]
    return dict(document["spec"]["template"]["spec"])


def test_a_pod_has_no_rights_that_it_does_not_need() -> None:
    found = pod("vllm", FULL, "0.25.1")
    assert found["automountServiceAccountToken"] is False
    assert found["securityContext"]["runAsNonRoot"] is True
    assert found["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert found["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }


def test_caches_lie_in_the_home_of_the_account_that_runs() -> None:
    mounts = {mount["mountPath"] for mount in container("vllm", FULL, "0.25.1")["volumeMounts"]}
    assert mounts == {"/home/vllm/.cache/huggingface", "/home/vllm/.cache/vllm", "/dev/shm"}
    mounts = {mount["mountPath"] for mount in container("vllm", FULL, "0.10.0")["volumeMounts"]}
    assert mounts == {"/root/.cache/huggingface", "/root/.cache/vllm", "/dev/shm"}


def test_an_image_of_the_specs_own_is_not_given_an_account() -> None:
    targets = {"vllm": {"version": "0.25.1", "image": "mirror/vllm:1"}}
    assert "runAsUser" not in pod("vllm", {**PLAIN, "targets": targets})["securityContext"]


def test_the_start_up_probe_waits_as_long_as_loading_may_take() -> None:
    small, big = (
        container("vllm", {"model": {"id": name}, "hardware": {"gpu": "H200", "count": 8}})["startupProbe"]
        for name in (LLAMA, "meta-llama/Llama-3.3-70B-Instruct")
    )
    assert (
        big["failureThreshold"] * big["periodSeconds"]
        > small["failureThreshold"] * small["periodSeconds"] + 1000
    )


def test_secrets_are_references_to_a_secret_with_the_callers_names() -> None:
    text = made("vllm", FULL, "kubernetes", ".kubernetes.yaml")
    assert '--from-literal=MY_TOKEN="$MY_TOKEN"' in text
    environment = {item["name"]: item for item in container("vllm", FULL)["env"]}
    assert environment["HF_TOKEN"]["valueFrom"]["secretKeyRef"] == {
        "name": "a-model-secrets",
        "key": "MY_TOKEN",
    }
    assert environment["VLLM_API_KEY"]["valueFrom"]["secretKeyRef"]["key"] == "SERVER_KEY"


def test_a_secret_that_is_a_flag_is_put_there_by_the_kubelet() -> None:
    found = container("sglang", FULL)
    assert found["args"][found["args"].index("--api-key") + 1] == "$(SERVER_KEY)"
    assert "SERVER_KEY" in {item["name"] for item in found["env"]}


def test_gpus_are_asked_for_by_the_name_of_their_plug_in() -> None:
    assert container("vllm", FULL)["resources"]["limits"] == {"nvidia.com/gpu": "2"}
    assert container("vllm", AMD)["resources"]["requests"] == {"amd.com/gpu": "1"}
    assert container("vllm", CPU)["resources"] == {}


def test_a_name_that_begins_with_a_digit_gets_a_letter_where_a_service_needs_one() -> None:
    found = objects(made("vllm", {**PLAIN, "name": "3B.model"}, "kubernetes", ".kubernetes.yaml"))
    assert found["Service"]["metadata"]["name"] == "m-3b-model"
    rules = made("vllm", {**PLAIN, "name": "3B.model"}, "prometheus", ".rules.yaml")
    assert 'job="m-3b-model"' in rules


def test_a_part_of_a_gpu_is_asked_for_as_such() -> None:
    part = {**PLAIN, "hardware": {"gpu": "A100-80GB-MIG-3g.40gb"}}
    assert container("vllm", part)["resources"]["limits"] == {"nvidia.com/mig-3g.40gb": "1"}
    (service,) = yaml.safe_load(made("vllm", part, "compose", ".compose.yaml"))["services"].values()
    (device,) = service["deploy"]["resources"]["reservations"]["devices"]
    assert device["device_ids"] == ["${MIG_DEVICE_0:?}"]
    assert "count" not in device
    assert '\\"device=${MIG_DEVICES:?}\\"' in made("vllm", part, "docker", ".docker.sh")


def test_a_folder_of_the_nodes_keeps_weights_where_the_spec_says_so() -> None:
    found = pod("vllm", {**PLAIN, "deploy": {"cache_volume": "/srv/weights"}})["volumes"]
    assert {"name": "weights", "hostPath": {"path": "/srv/weights", "type": "DirectoryOrCreate"}} in found


@pytest.mark.parametrize(
    ("deploy", "message"),
    [
        ({"cache_volume": "./weights"}, "begins with '/'"),
        ({"cache_volume": "My Weights"}, "deploy.cache_volume 'My Weights' is no name"),
    ],
)
def test_names_that_kubernetes_does_not_take_are_refused(deploy: dict[str, str], message: str) -> None:
    with pytest.raises(RenderError, match=message):
        made("vllm", {**PLAIN, "deploy": deploy}, "kubernetes", ".yaml")


def test_words_with_kubernetes_own_syntax_stay_words() -> None:
    found = container("vllm", {**PLAIN, "server": {"served_model_name": "$(HOME) $$(x)"}})
    assert "$$(HOME) $$$$(x)" in found["args"]


def test_a_folder_of_this_machine_is_refused() -> None:
    sections = {"model": {"id": "./weights", "config": "examples/tiny-llama/config.json"}}
    with pytest.raises(RenderError, match="a model that is no folder of this machine"):
        render(deploy("vllm", **sections), "kubernetes")


@pytest.mark.parametrize("version", ["0.25.1", "0.9.2"])
def test_several_nodes_are_a_leader_worker_set(version: str) -> None:
    found = objects(made("vllm", NODES, "lws", ".lws.yaml", version))
    group = found["LeaderWorkerSet"]
    validate(group, "leaderworkerset")
    templates = group["spec"]["leaderWorkerTemplate"]
    assert templates["size"] == 2
    for role in ("leaderTemplate", "workerTemplate"):
        kubernetes(pod_as_deployment(templates[role]))
    leader, worker = (
        templates[role]["spec"]["containers"][0] for role in ("leaderTemplate", "workerTemplate")
    )
    assert "startupProbe" in leader
    assert "startupProbe" not in worker
    assert "LWS_LEADER_ADDRESS" in json.dumps(worker)
    assert found["Service"]["spec"]["selector"].items() <= templates["leaderTemplate"]["metadata"][
        "labels"
    ].items() | {("leaderworkerset.sigs.k8s.io/name", "a-model")}
    with pytest.raises(RenderError, match="one node"):
        made("vllm", NODES, "kubernetes", ".yaml")


def test_ray_starts_before_the_server_in_the_leader() -> None:
    text = made("vllm", NODES, "lws", ".lws.yaml", "0.9.2")
    group = objects(text)["LeaderWorkerSet"]["spec"]["leaderWorkerTemplate"]
    leader, worker = (group[role]["spec"]["containers"][0] for role in ("leaderTemplate", "workerTemplate"))
    assert leader["command"] == ["/bin/sh", "-c"]
    assert leader["args"][0].startswith("ray start --head --port 6379 && exec vllm serve ")
    assert worker["command"] + worker["args"] == [
        "ray",
        "start",
        "--block",
        "--address",
        "$(LWS_LEADER_ADDRESS):6379",
    ]


@pytest.mark.parametrize("case", CASES)
def test_the_kserve_service_is_valid(case: str) -> None:
    document = yaml.safe_load(made("vllm", CASES[case], "kserve", ".kserve.yaml"))
    validate(document, "llminferenceservice")
    kubernetes(pod_as_deployment({"metadata": {"labels": {"a": "b"}}, "spec": document["spec"]["template"]}))


def test_kserve_gets_what_its_template_does_not_say_as_shell_words() -> None:
    document = yaml.safe_load(
        made("vllm", {**FULL, "targets": {"vllm": {"args": {"chat_template": "a b"}}}}, "kserve", ".yaml")
    )
    environment = {
        item["name"]: item.get("value") for item in document["spec"]["template"]["containers"][0]["env"]
    }
    words = shlex.split(environment["VLLM_ADDITIONAL_ARGS"])
    assert words[words.index("--chat-template") + 1] == "a b"
    assert not {"--host", "--port", "--served-model-name", LLAMA} & set(words)


@pytest.mark.parametrize("case", CASES)
def test_the_inference_pool_and_the_charts_values_of_llm_d_are_valid(case: str) -> None:
    validate(yaml.safe_load(made("vllm", CASES[case], "llm-d", ".inferencepool.yaml")), "inferencepool")
    validate(yaml.safe_load(made("vllm", CASES[case], "llm-d", ".values.yaml")), "llm-d-modelservice")


@pytest.mark.parametrize("case", CASES)
def test_the_values_of_the_production_stack_are_valid(case: str) -> None:
    validate(
        yaml.safe_load(made("vllm", CASES[case], "production-stack", ".values.yaml")), "production-stack"
    )


def test_the_production_stack_is_kept_from_switching_prefix_caching_off() -> None:
    for asked, expected in ((None, True), (True, True), (False, False)):
        sections = {**PLAIN, "kv_cache": {"prefix_caching": asked}}
        values = yaml.safe_load(made("vllm", sections, "production-stack", ".values.yaml", "0.25.1"))
        (model,) = values["servingEngineSpec"]["modelSpec"]
        assert model["vllmConfig"]["enablePrefixCaching"] is expected


@pytest.mark.parametrize("case", [*CASES, "nodes"])
def test_the_ray_serve_configuration_is_valid(case: str) -> None:
    sections = CASES.get(case, NODES)
    document = yaml.safe_load(made("vllm", sections, "ray-serve", ".yaml"))
    validate(document, "ray-serve")
    published = json.loads((SCHEMAS / "ray-serve.json").read_text("utf-8"))
    (application,) = document["applications"]
    for config in application["args"]["llm_configs"]:
        jsonschema.validate(config, {**published["$defs"]["LLMConfig"], "$defs": published["$defs"]})
    assert "${" not in json.dumps(document)


def test_llm_d_reads_the_hubs_token_once_and_only_where_the_secret_has_it() -> None:
    def values(sections: dict[str, Any]) -> dict[str, Any]:
        return dict(yaml.safe_load(made("vllm", sections, "llm-d", ".values.yaml")))

    key_only = values({**PLAIN, "server": {"api_key_env": "SERVER_API_KEY"}})
    assert "authSecretName" not in key_only["modelArtifacts"]  # the chart would ask the Secret for HF_TOKEN
    token = values({**PLAIN, "env": {"HF_TOKEN": "${HF_TOKEN}"}})
    assert "authSecretName" in token["modelArtifacts"]
    (server,) = token["decode"]["containers"]
    assert [variable["name"] for variable in server["env"]] == []
    other = values({**PLAIN, "env": {"HF_TOKEN": "${TEAM_TOKEN}"}})
    assert "authSecretName" not in other["modelArtifacts"]
    (server,) = other["decode"]["containers"]
    assert [variable["name"] for variable in server["env"]] == ["HF_TOKEN"]


def test_ray_serve_says_that_it_asks_for_no_key() -> None:
    sections = {**PLAIN, "server": {"api_key_env": "SERVER_API_KEY"}, "env": {"HF_TOKEN": "${HF_TOKEN}"}}
    text = made("vllm", sections, "ray-serve", ".yaml")
    assert "asks for no key: what SERVER_API_KEY guards is open here" in text
    assert "need HF_TOKEN (from HF_TOKEN)" in text
    assert "need VLLM_API_KEY" not in text
