"""What watches and scales the servers: KEDA, autoscalers, Prometheus, Grafana, by the metrics of the version."""

import json
import re
from collections.abc import Iterator

import pytest
import yaml
from cluster_cases import CASES, FULL, PLAIN, kubernetes, made, objects, validate
from lowering_cases import deploy

from servespec.engines import engine_names
from servespec.engines.metrics import metrics_of
from servespec.errors import RenderError
from servespec.render import render


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
