"""From a deployment to ``python3 -m sglang.launch_server``."""

from __future__ import annotations

from collections.abc import Mapping

from servespec.deployment import Deployment, SettingValue
from servespec.engines import lowering
from servespec.engines.images import image_of
from servespec.engines.launch import Cluster, Launch, Variable
from servespec.engines.loading import load_seconds
from servespec.engines.lowering import Said
from servespec.engines.paths import Paths
from servespec.engines.sglang.keys import keys
from servespec.models.local import is_local

SHM_BYTES = 32 * 2**30
"""sglang docs/get_started/install.md: ``--shm-size 32g``."""
STOP_SECONDS = 60
"""Longer than the scheduler and the tokenizer processes take to end after SIGTERM."""
INIT_PORT = 20000
"""Port of ``--dist-init-addr`` in SGLang's multi-node examples (docs/references/multi_node_deployment)."""
SERVER_ONLY = frozenset({"host", "port", "api_key", "config"})


def lower(deployment: Deployment) -> Launch:
    """The command, environment, image and health check that mean the deployment."""
    here, inside = Paths(deployment=deployment, container=False), Paths(deployment=deployment, container=True)
    server = deployment.spec.server
    said = lowering.say(deployment, keys(container=False))
    values = _values(deployment, said, here, server.host)
    in_container = _values(
        deployment, lowering.say(deployment, keys(container=True)), inside, lowering.EVERY_ADDRESS
    ) | {"host": lowering.EVERY_ADDRESS}
    environment = lowering.environment_of(deployment)
    config, beside = _config(deployment, values)
    return Launch(
        engine=deployment.engine,
        version=deployment.asked_version,
        model=here(deployment.spec.model.id),
        command=("python3", "-m", "sglang.launch_server"),
        flags=lowering.words(deployment, values),
        container_flags=lowering.words(deployment, in_container),
        # SGLang reads its key from nowhere else.
        secret_flags=(
            *((("--api-key", server.api_key_env),) if server.api_key_env is not None else ()),
            *lowering.secret_args(deployment),
        ),
        host=lowering.host_of(deployment, values),
        port=lowering.port_of(deployment, values),
        health_path="/health",
        metrics_path="/metrics" if values.get("enable_metrics") is True else None,
        served_model_name=server.served_model_name or deployment.spec.model.id,
        image=image_of(deployment),
        load_seconds=load_seconds(deployment),
        stop_seconds=STOP_SECONDS,
        environment={**environment.plain, **said.environment},
        secrets=environment.secrets,
        config=config,
        config_flags=beside,
        mounts=here.mounts(),
        shm_bytes=SHM_BYTES,
        gpus_per_node=0 if deployment.gpu.is_cpu else deployment.spec.hardware.count,
        nodes=deployment.spec.hardware.nodes,
        gpu_kind=deployment.gpu.kind,
        mig_profile=lowering.mig_profile(deployment),
        offline={
            name: value for name, value in values.items() if value is not None and name not in SERVER_ONLY
        },
        cluster=_cluster(deployment),
    )


def _values(deployment: Deployment, said: Said, paths: Paths, host: str) -> dict[str, SettingValue]:
    model = deployment.spec.model.id
    name = deployment.spec.server.served_model_name
    if name is None and is_local(model):
        name = model  # else SGLang would take the path, which is another in a container
    values: dict[str, SettingValue] = {
        "model_path": paths(model),
        "host": host,
        "port": deployment.spec.server.port,
        "served_model_name": name,
        "device": "cpu" if deployment.gpu.is_cpu else None,
    }
    return lowering.with_args(deployment, values, {**lowering.written(deployment, values), **said.values})


def _config(
    deployment: Deployment, values: Mapping[str, SettingValue]
) -> tuple[dict[str, SettingValue] | None, tuple[str, ...]]:
    """The values by the keys of a ``--config`` file, and the flags that must stand beside it.

    Its reader refuses flags that take several words and reads null as the text "None"
    (sglang/srt/utils/server_args_config_parser.py). None where the version reads no file.
    """
    catalogue = lowering.catalogue_of(deployment)
    if catalogue.get("config") is None:
        return None, ()
    config: dict[str, SettingValue] = {}
    beside: dict[str, SettingValue] = {}
    for name, value in values.items():
        found = catalogue.get(name)
        if value is None:
            continue
        if (
            found is not None
            and (found.nargs in ("*", "+") or found.action in ("append", "switch", "store_const"))
        ) or lowering.looks_like_flag(value):
            beside[name] = value
        elif value is not False or (found is not None and found.action == "boolish"):
            config[name.replace("_", "-")] = value
    return config, lowering.words(deployment, beside)


def _cluster(deployment: Deployment) -> Cluster | None:
    nodes = deployment.spec.hardware.nodes
    if nodes == 1:
        return None
    return Cluster(
        rank="NODE_RANK",
        head="HEAD_ADDRESS",
        port=INIT_PORT,
        node_flags=(
            *("--nnodes", str(nodes)),
            *("--node-rank", Variable("NODE_RANK")),
            *("--dist-init-addr", Variable("HEAD_ADDRESS", f":{INIT_PORT}")),
        ),
    )
