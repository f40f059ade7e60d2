"""From a deployment to ``text-generation-launcher``."""

from __future__ import annotations

from collections.abc import Mapping

from servespec.deployment import Deployment, SettingValue
from servespec.engines import lowering
from servespec.engines.flag_values import word_of
from servespec.engines.images import image_of
from servespec.engines.launch import Launch
from servespec.engines.loading import load_seconds
from servespec.engines.lowering import Said
from servespec.engines.paths import Paths
from servespec.engines.tgi.keys import keys

SHM_BYTES = 2**30
"""text-generation-inference README: ``--shm-size 1g``, which NCCL needs between shards."""
TERMINATION_SECONDS = 90
"""Default of ``--graceful-termination-timeout`` (launcher/src/main.rs)."""
MARGIN_SECONDS = 30
"""Policy: what the launcher needs to end the shards after its own time-out."""


def lower(deployment: Deployment) -> Launch:
    """The command, environment, image and health check that mean the deployment."""
    here, inside = Paths(deployment=deployment, container=False), Paths(deployment=deployment, container=True)
    server = deployment.spec.server
    said = lowering.say(deployment, keys(container=False))
    values = _values(deployment, said, here, server.host)
    in_container = _values(
        deployment, lowering.say(deployment, keys(container=True)), inside, lowering.EVERY_ADDRESS
    ) | {"hostname": lowering.EVERY_ADDRESS}
    environment = lowering.environment_of(deployment)
    secrets = dict(environment.secrets)
    if server.api_key_env is not None:
        secrets["API_KEY"] = server.api_key_env
    return Launch(
        engine=deployment.engine,
        version=deployment.asked_version,
        model=here(deployment.spec.model.id),
        command=("text-generation-launcher",),
        flags=lowering.words(deployment, values),
        container_flags=lowering.words(deployment, in_container),
        flags_environment=_flags_environment(deployment, in_container),
        secret_flags=lowering.secret_args(deployment),
        host=lowering.host_of(deployment, values, "hostname"),
        port=lowering.port_of(deployment, values),
        health_path="/health",
        metrics_path="/metrics",
        served_model_name=deployment.spec.model.id,
        image=image_of(deployment),
        load_seconds=load_seconds(deployment),
        stop_seconds=_termination_seconds(values) + MARGIN_SECONDS,
        environment={**environment.plain, **said.environment},
        secrets=secrets,
        mounts=here.mounts(),
        shm_bytes=SHM_BYTES,
        gpus_per_node=0 if deployment.gpu.is_cpu else deployment.spec.hardware.count,
        nodes=deployment.spec.hardware.nodes,
        gpu_kind=deployment.gpu.kind,
        mig_profile=lowering.mig_profile(deployment),
    )


def _values(deployment: Deployment, said: Said, paths: Paths, host: str) -> dict[str, SettingValue]:
    values: dict[str, SettingValue] = {
        "model_id": paths(deployment.spec.model.id),
        "hostname": host,
        "port": deployment.spec.server.port,
        # Left out, the launcher takes every GPU that it sees.
        "num_shard": deployment.spec.parallel.tensor,
    }
    return lowering.with_args(
        deployment, values, {**lowering.written(deployment, values, hostname="host"), **said.values}
    )


def _flags_environment(deployment: Deployment, values: Mapping[str, SettingValue]) -> dict[str, str]:
    """The flags as the environment variables that the launcher reads them from."""
    catalogue = lowering.catalogue_of(deployment)
    variables: dict[str, str] = {}
    for name, value in values.items():
        found = catalogue.get(name)
        if found is None or found.env is None or value is None or (value is False and found.kind == "bool"):
            continue
        items = value if isinstance(value, tuple | list) else (value,)
        variables[found.env] = (found.delimiter or ",").join(word_of(found, item) for item in items)
    return variables


def _termination_seconds(values: Mapping[str, SettingValue]) -> int:
    given = values.get("graceful_termination_timeout")
    return given if isinstance(given, int) and not isinstance(given, bool) else TERMINATION_SECONDS
