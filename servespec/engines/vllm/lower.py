"""From a deployment to ``vllm serve``."""

from __future__ import annotations

from collections.abc import Mapping

from servespec.deployment import Deployment, SettingValue
from servespec.engines import lowering
from servespec.engines.images import image_of
from servespec.engines.launch import Cluster, Launch, Variable
from servespec.engines.loading import load_seconds
from servespec.engines.lowering import Said
from servespec.engines.paths import Paths
from servespec.engines.vllm.keys import keys
from servespec.engines.vllm.server_flags import SERVER_FLAGS
from servespec.models.local import is_local
from servespec.rules.versions import holds

SHM_BYTES = 10 * 2**30
"""vllm docs/deployment/docker.md gives ``--shm-size`` for tensor parallelism without a number; its examples take 10 GiB."""
STOP_SECONDS = 60
"""Longer than Uvicorn and the engine's processes take to end (``--shutdown-timeout`` is 0 by default)."""
MASTER_PORT = 29501
"""vllm/config/parallel.py, master_port."""
RAY_PORT = 6379
"""Ray's own default."""
RUN_BATCH = ">=0.9.1"
"""vllm/entrypoints/cli/run_batch.py is there from this version on."""
ORCHESTRATED = frozenset({"host", "port", "served_model_name"})


def lower(deployment: Deployment) -> Launch:
    """The command, environment, image and health check that mean the deployment."""
    here, inside = Paths(deployment=deployment, container=False), Paths(deployment=deployment, container=True)
    said = lowering.say(deployment, keys(container=False))
    model = here(deployment.spec.model.id)
    values = _values(deployment, said, deployment.spec.server.host)
    config, beside = _config(
        deployment, {"model": model, **values} if _file_takes_model(deployment) else values
    )
    environment = lowering.environment_of(deployment)
    secrets = dict(environment.secrets)
    if deployment.spec.server.api_key_env is not None:
        secrets["VLLM_API_KEY"] = deployment.spec.server.api_key_env
    return Launch(
        engine=deployment.engine,
        version=deployment.asked_version,
        model=model,
        command=("vllm", "serve"),
        flags=(model, *lowering.words(deployment, values)),
        container_flags=_container_flags(deployment, inside),
        secret_flags=lowering.secret_args(deployment),
        host=lowering.host_of(deployment, values),
        port=lowering.port_of(deployment, values),
        health_path="/health",
        metrics_path="/metrics",
        served_model_name=deployment.spec.server.served_model_name or deployment.spec.model.id,
        image=image_of(deployment),
        load_seconds=load_seconds(deployment),
        stop_seconds=STOP_SECONDS,
        environment={**environment.plain, **said.environment},
        secrets=secrets,
        config=config,
        config_flags=beside,
        mounts=here.mounts(),
        shm_bytes=SHM_BYTES,
        gpus_per_node=0 if deployment.gpu.is_cpu else deployment.spec.hardware.count,
        nodes=deployment.spec.hardware.nodes,
        gpu_kind=deployment.gpu.kind,
        mig_profile=lowering.mig_profile(deployment),
        offline={"model": model, **_offline(values)},
        cluster=_cluster(deployment),
        own_flags=lowering.words(
            deployment, {name: value for name, value in values.items() if name not in ORCHESTRATED}
        ),
        batch_command=_batch_command(deployment, model, values),
        orchestrators=frozenset({"kserve", "llm-d", "production-stack", "ray-serve"}),
    )


def _values(deployment: Deployment, said: Said, host: str) -> dict[str, SettingValue]:
    server = deployment.spec.server
    name = server.served_model_name
    if name is None and is_local(deployment.spec.model.id):
        name = deployment.spec.model.id  # else vLLM would take the path, which is another in a container
    values: dict[str, SettingValue] = {"host": host, "port": server.port}
    if name is not None:
        values["served_model_name"] = (name,)
    if _needs_ray(deployment):
        values["distributed_executor_backend"] = "ray"
    return lowering.with_args(deployment, values, {**lowering.written(deployment, values), **said.values})


def _container_flags(deployment: Deployment, inside: Paths) -> tuple[str, ...]:
    said = lowering.say(deployment, keys(container=True))
    values = _values(deployment, said, lowering.EVERY_ADDRESS) | {"host": lowering.EVERY_ADDRESS}
    return (inside(deployment.spec.model.id), *lowering.words(deployment, values))


def _offline(values: Mapping[str, SettingValue]) -> dict[str, SettingValue]:
    return {name: value for name, value in values.items() if value is not None and name not in SERVER_FLAGS}


def _batch_command(deployment: Deployment, model: str, values: Mapping[str, SettingValue]) -> tuple[str, ...]:
    """``vllm run-batch``, which takes the flags of the engine and of the model's name."""
    if not holds(RUN_BATCH, deployment.version):
        return ()
    named = {"served_model_name": values["served_model_name"]} if "served_model_name" in values else {}
    return ("vllm", "run-batch", "--model", model, *lowering.words(deployment, named | _offline(values)))


def _config(
    deployment: Deployment, values: Mapping[str, SettingValue]
) -> tuple[dict[str, SettingValue], tuple[str, ...]]:
    """The values by the keys of a ``--config`` file, and the words that must stand beside it.

    Its reader drops false, reads null as the text "None" and drops empty lists (vllm/utils/argparse_utils.py,
    load_config_file): what is switched off is written by the spelling that switches it off.
    """
    catalogue = lowering.catalogue_of(deployment)
    config: dict[str, SettingValue] = {}
    beside: dict[str, SettingValue] = {}
    for name, value in values.items():
        found = catalogue.get(name)
        if value is None or value == ():
            continue
        if value is False:
            if found is not None and found.negation is not None:
                config[found.negation.lstrip("-")] = True
        elif lowering.looks_like_flag(value):
            beside[name] = value
        else:
            config[name.replace("_", "-")] = value
    model = (
        ()
        if "model" in values
        else (Paths(deployment=deployment, container=False)(deployment.spec.model.id),)
    )
    return config, (*model, *lowering.words(deployment, beside))


def _file_takes_model(deployment: Deployment) -> bool:
    """Whether the file may name the model: not where ``vllm serve`` insists on it as a word of its own."""
    catalogue = lowering.catalogue_of(deployment)
    word = catalogue.get("model_tag")
    return catalogue.syntax.serve_takes_model and (word is None or not word.required)


def _needs_ray(deployment: Deployment) -> bool:
    """Several nodes without ``--nnodes``, which came in 0.11.1, take a Ray cluster."""
    return deployment.spec.hardware.nodes > 1 and lowering.catalogue_of(deployment).get("nnodes") is None


def _cluster(deployment: Deployment) -> Cluster | None:
    nodes = deployment.spec.hardware.nodes
    if nodes == 1:
        return None
    if _needs_ray(deployment):
        return Cluster(
            rank="NODE_RANK",
            head="HEAD_ADDRESS",
            port=RAY_PORT,
            head_start=("ray", "start", "--head", "--port", str(RAY_PORT)),
            worker_start=("ray", "start", "--block", "--address", Variable("HEAD_ADDRESS", f":{RAY_PORT}")),
        )
    return Cluster(
        rank="NODE_RANK",
        head="HEAD_ADDRESS",
        port=MASTER_PORT,
        node_flags=(
            *("--nnodes", str(nodes)),
            *("--node-rank", Variable("NODE_RANK")),
            *("--master-addr", Variable("HEAD_ADDRESS")),
            *("--master-port", str(MASTER_PORT)),
        ),
        worker_flags=("--headless",),
    )
