"""What is rendered for clusters, held against the published schema of each kind."""

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from lowering_cases import LLAMA, deploy
from render_cases import SCHEMAS

from servespec.deployment import Deployment
from servespec.engines import engine_names
from servespec.engines.metrics import metrics_of
from servespec.errors import RenderError
from servespec.render import render

PLAIN = {"env": {"HF_TOKEN": "${MY_TOKEN}"}, "limits": {"max_model_len": 4096}}
FULL = {
    **PLAIN,
    "server": {"api_key_env": "SERVER_KEY", "served_model_name": "llama", "port": 9000},
    "deploy": {"replicas": 3, "namespace": "inference"},
    "hardware": {"gpu": "H100-80GB", "count": 2},
    "parallel": {"tensor": 2},
    "objectives": {"ttft_ms": 500, "itl_ms": 50},
}
AMD = {**PLAIN, "hardware": {"gpu": "MI300X"}, "deploy": {"cache_volume": "weights"}}
CPU = {**PLAIN, "hardware": {"gpu": "cpu"}, "kv_cache": {"space_gib": 1}}
NODES = {
    **PLAIN,
    "hardware": {"gpu": "H100-80GB", "count": 8, "nodes": 2},
    "parallel": {"tensor": 8, "pipeline": 2},
}
CASES = {"plain": PLAIN, "full": FULL, "amd": AMD, "cpu": CPU}
ARGS = {"sglang": {"enable_metrics": True}}


def made(
    engine: str, sections: dict[str, Any], format_name: str, ending: str, version: str | None = None
) -> str:
    deployment = deploy(engine, version, ARGS.get(engine), **sections)
    return one(deployment, format_name, ending)


def one(deployment: Deployment, format_name: str, ending: str) -> str:
    return next(made.text for made in render(deployment, format_name) if made.path.endswith(ending))


def validate(document: Any, schema: str) -> None:
    """Against a published schema; a key that it does not have is found."""
    published = json.loads((SCHEMAS / f"{schema}.json").read_text("utf-8"))
    jsonschema.validate(document, published)
    where = document.get("spec", document)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(
            document | ({"spec": where | {"no-such-key": 1}} if "spec" in document else {"no-such-key": 1}),
            published,
        )


def kubernetes(document: dict[str, Any]) -> None:
    kubernetes_validate.validate(document, "1.30", strict=True)


def pod_as_deployment(template: dict[str, Any]) -> dict[str, Any]:
    """Pods inside of custom resources, in an object that Kubernetes' own schemas have."""
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}, "spec": spec}


def objects(text: str) -> dict[str, dict[str, Any]]:
    return {document["kind"]: document for document in yaml.safe_load_all(text)}


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
        ({"namespace": "In Ference"}, "deploy.namespace 'In Ference' is no name"),
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


@pytest.mark.parametrize("engine", engine_names())
def test_the_scaled_object_is_valid_and_asks_for_the_queue(engine: str) -> None:
    document = yaml.safe_load(made(engine, FULL, "keda", ".keda.yaml"))
    validate(document, "scaledobject")
    (trigger,) = document["spec"]["triggers"]
    assert re.search(r"waiting|queue", trigger["metadata"]["query"])


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("engine", engine_names())
def test_the_autoscaler_is_valid_and_asks_for_what_the_adapter_tells(engine: str, case: str) -> None:
    document = yaml.safe_load(made(engine, CASES[case], "hpa", ".hpa.yaml"))
    kubernetes(document)
    (rule,) = yaml.safe_load(made(engine, CASES[case], "hpa", ".adapter.values.yaml"))["rules"]["custom"]
    (metric,) = document["spec"]["metrics"]
    assert metric["pods"]["metric"]["name"] == rule["name"]["as"]
    waiting = metrics_of(engine, deploy(engine).version)["waiting"].name
    assert rule["seriesQuery"].startswith(waiting + "{")
    found = objects(made(engine, CASES[case], "kubernetes", ".kubernetes.yaml"))["Deployment"]
    target = document["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == (found["kind"], found["metadata"]["name"])
    assert document["spec"]["minReplicas"] == found["spec"]["replicas"]
    behavior = document["spec"]["behavior"]
    assert 1 <= behavior["scaleUp"]["policies"][0]["periodSeconds"] <= 1800
    assert behavior["scaleDown"]["stabilizationWindowSeconds"] <= 3600


@pytest.mark.parametrize("engine", engine_names())
def test_monitoring_objects_are_valid(engine: str) -> None:
    found = objects(made(engine, FULL, "prometheus", ".monitoring.yaml"))
    validate(found["ServiceMonitor"], "servicemonitor")
    validate(found["PrometheusRule"], "prometheusrule")
    assert yaml.safe_load(made(engine, FULL, "prometheus", ".rules.yaml")) == found["PrometheusRule"]["spec"]


def names_of(text: str) -> Iterator[str]:
    return (match[0] for match in re.finditer(r"\b(?:vllm:|sglang:|tgi_)[a-z0-9_]+", text))


@pytest.mark.parametrize("engine", engine_names())
def test_dashboards_and_alerts_name_only_metrics_of_the_table(engine: str) -> None:
    version = deploy(engine).version
    known = {metric.name for metric in metrics_of(engine, version).values()}
    text = made(engine, FULL, "grafana", ".grafana.json") + made(engine, FULL, "prometheus", ".rules.yaml")
    named = {name.removesuffix("_bucket") for name in names_of(text)}
    assert named
    assert named <= known


@pytest.mark.parametrize(
    ("version", "name"), [("0.9.2", "vllm:gpu_cache_usage_perc"), ("0.25.1", "vllm:kv_cache_usage_perc")]
)
def test_metrics_have_the_names_of_the_version(version: str, name: str) -> None:
    assert name in made("vllm", PLAIN, "grafana", ".json", version)


def test_objectives_become_alerts() -> None:
    rules = yaml.safe_load(made("vllm", FULL, "prometheus", ".rules.yaml"))["groups"][0]["rules"]
    expressions = {rule["alert"]: rule["expr"] for rule in rules}
    assert expressions["InferenceFirstTokenLate"].endswith("> 0.5")
    assert expressions["InferenceTokensSlow"].endswith("> 0.05")


def test_a_server_without_metrics_is_not_watched() -> None:
    with pytest.raises(RenderError, match="exposes metrics"):
        render(deploy("sglang"), "prometheus")


def test_dashboard_panels_do_not_overlap() -> None:
    panels = json.loads(made("vllm", FULL, "grafana", ".json"))["panels"]
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
    assert len(places) == len(panels) > 6


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
