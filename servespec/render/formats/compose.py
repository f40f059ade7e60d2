"""A compose file, by the compose specification (compose-spec.io), built as data."""

from __future__ import annotations

from servespec.engines.launch import Launch
from servespec.render import container
from servespec.render.artefact import Artefact
from servespec.render.job import Job
from servespec.render.words import compose_word, container_program
from servespec.render.yaml_writer import dump_yaml

NEEDS = "anything"


def supports(launch: Launch) -> bool:
    """Every engine has an image."""
    return True


def render(job: Job) -> tuple[Artefact, ...]:
    """``NAME.compose.yaml`` with one service.

    With several nodes it is for the first, and ``NAME.worker.compose.yaml`` for each of the others.
    """
    head = Artefact(f"{job.name}.compose.yaml", _document(job, rank=0))
    if job.launch.cluster is None:
        return (head,)
    return (head, Artefact(f"{job.name}.worker.compose.yaml", _document(job, rank=1)))


def _document(job: Job, rank: int) -> str:
    volumes = container.cache_volumes(job)
    document = {
        "name": job.name,
        "services": {job.name: _service(job, volumes, rank)},
        "volumes": {volume.label: {"name": volume.label} for volume in volumes if not volume.is_folder},
    }
    return dump_yaml(document, header=job.header.comment())


def _service(job: Job, volumes: tuple[container.Volume, ...], rank: int) -> dict[str, object]:
    launch = job.launch
    program = container_program(launch, rank)
    service: dict[str, object] = {"image": container.qualified(launch.image.reference)}
    if program.entrypoint is not None:
        service["entrypoint"] = [compose_word(word) for word in program.entrypoint]
    service["command"] = [compose_word(word) for word in program.arguments]
    service |= _network(launch)
    if environment := _environment(launch, rank):
        service["environment"] = environment
    service["volumes"] = [_cache(job, volume) for volume in volumes] + [
        {"type": "bind", "source": compose_word(job.beside(source)), "target": target, "read_only": True}
        for source, target in launch.mounts
    ]
    service |= _accelerators(launch)
    if launch.shm_bytes:
        service["shm_size"] = f"{launch.shm_bytes}b"
    return service | {
        "healthcheck": _healthcheck(launch) if rank == 0 else {"disable": True},
        "restart": "unless-stopped",
        "stop_grace_period": f"{launch.stop_seconds}s",
        **_rights(launch),
    }


def _environment(launch: Launch, rank: int) -> dict[str, str]:
    environment = {name: compose_word(value) for name, value in launch.environment.items()}
    environment |= {name: f"${{{holder}:?set {holder}}}" for name, holder in launch.secrets.items()}
    if launch.cluster is not None:
        environment[launch.cluster.rank] = f"${{{launch.cluster.rank}:?}}" if rank else "0"
        environment[launch.cluster.head] = f"${{{launch.cluster.head}:?}}"
    return environment


def _healthcheck(launch: Launch) -> dict[str, object]:
    return {
        "test": ["CMD", "curl", "-fsS", "-o", "/dev/null", container.health_url(launch)],
        "interval": f"{container.HEALTH_INTERVAL_SECONDS}s",
        "timeout": f"{container.HEALTH_TIMEOUT_SECONDS}s",
        "retries": container.HEALTH_RETRIES,
        "start_period": f"{launch.load_seconds}s",
    }


def _cache(job: Job, volume: container.Volume) -> dict[str, object]:
    if volume.is_folder:
        return {"type": "bind", "source": compose_word(job.beside(volume.name)), "target": volume.target}
    return {"type": "volume", "source": volume.label, "target": volume.target}


def _network(launch: Launch) -> dict[str, object]:
    if launch.cluster is not None:
        # Ranks talk over ports that the engine picks: they have to see the host's own network.
        return {"network_mode": "host"}
    return {"ports": [container.published(launch)]}


def _accelerators(launch: Launch) -> dict[str, object]:
    if launch.gpu_kind == "rocm":
        return {
            "devices": [f"{device}:{device}" for device in container.AMD_DEVICES],
            "group_add": list(container.AMD_GROUPS),
        }
    if launch.gpu_kind == "cpu":
        return {}
    reservation: dict[str, object] = {"driver": "nvidia", "capabilities": ["gpu"]}
    if launch.mig_profile is None:
        reservation["count"] = launch.gpus_per_node
    else:  # parts of a GPU have names that only their machine knows (nvidia-smi -L)
        reservation["device_ids"] = [f"${{MIG_DEVICE_{n}:?}}" for n in range(launch.gpus_per_node)]
    return {"deploy": {"resources": {"reservations": {"devices": [reservation]}}}}


def _rights(launch: Launch) -> dict[str, object]:
    granted = container.rights(launch)
    added = {"cap_add": list(granted.capabilities)} if granted.capabilities else {}
    return {"cap_drop": ["ALL"], **added, "security_opt": list(granted.options)}
