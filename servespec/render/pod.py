"""The pod of a server, the same for every kind of cluster object."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from math import ceil

from servespec.engines.launch import Cluster, Launch, Variable
from servespec.errors import RenderError
from servespec.render import container
from servespec.render.job import Job
from servespec.render.words import Word, container_program, kubernetes_word

DNS_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
RESOURCES = {"cuda": "nvidia.com/gpu", "rocm": "amd.com/gpu"}
"""Names under which the device plug-ins of NVIDIA and AMD offer their GPUs."""
PROBE_SECONDS = 10
DRAIN_SECONDS = 15
"""Between a pod's end and the last request that is still sent to it (KServe's own template waits as long)."""
WEIGHTS, SHARED_MEMORY = "weights", "shared-memory"


def labels(job: Job) -> dict[str, str]:
    """The labels by which Kubernetes' own documentation asks objects to be found."""
    return {
        "app.kubernetes.io/name": job.launch.engine,
        "app.kubernetes.io/instance": job.name,
        "app.kubernetes.io/component": "inference",
        "app.kubernetes.io/managed-by": "servespec",
    }


def selector(job: Job) -> dict[str, str]:
    """The labels that no other object of the deployment has."""
    return {key: labels(job)[key] for key in ("app.kubernetes.io/name", "app.kubernetes.io/instance")}


def metadata(job: Job, name: str | None = None) -> dict[str, object]:
    """Name, namespace and labels of an object."""
    namespace = job.deployment.spec.deploy.namespace
    return {
        "name": name or job.cluster_name,
        **({"namespace": namespace} if namespace else {}),
        "labels": labels(job),
    }


def secret_name(job: Job) -> str:
    """The Secret that people make; its keys are the names of the variables that a spec refers to."""
    return f"{job.name}-secrets"


def claim_name(job: Job) -> str:
    """The claim on which downloaded weights are kept: the spec's, or one made for it."""
    return job.deployment.spec.deploy.cache_volume or f"{job.name}-weights"


def kubernetes_name(key: str, name: str) -> str:
    """The name. Raises RenderError, naming the spec's key, for one that Kubernetes does not take."""
    if DNS_LABEL.fullmatch(name) is None:
        raise RenderError(
            f"{key} {name!r} is no name that Kubernetes takes: lower case letters, digits and '-', at most 63"
        )
    return name


def _weights(job: Job) -> dict[str, object]:
    """Where weights are kept: a claim, or the folder of the node that the spec names."""
    named = job.deployment.spec.deploy.cache_volume
    if named is None or not named.startswith((".", "/", "~")):
        claim = claim_name(job)
        if named is not None:
            kubernetes_name("deploy.cache_volume", named)
        return {"name": WEIGHTS, "persistentVolumeClaim": {"claimName": claim}}
    if not named.startswith("/"):
        raise RenderError(f"deploy.cache_volume {named!r} is relative: a node's folder begins with '/'")
    return {"name": WEIGHTS, "hostPath": {"path": named, "type": "DirectoryOrCreate"}}


def is_renderable(launch: Launch) -> bool:
    """Whether a cluster can run it: a folder of this machine is nothing that a pod could see."""
    return not launch.mounts


def secret_note(job: Job) -> str:
    """Comment lines that say how the Secret is made, where there is one."""
    holders = sorted({*job.launch.secrets.values(), *(name for _, name in job.launch.secret_flags)})
    if not holders:
        return ""
    namespace = job.deployment.spec.deploy.namespace
    words = ["kubectl", *(["-n", namespace] if namespace else []), "create secret generic", secret_name(job)]
    words += [f'--from-literal={holder}="${holder}"' for holder in holders]
    return f"# First: {' '.join(words)}\n"


def pod_spec(job: Job, rank: int = 0) -> dict[str, object]:
    """A hardened pod with one container: no token of the API server, no rights that are not needed."""
    launch = job.launch
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": _security(launch),
        "terminationGracePeriodSeconds": launch.stop_seconds + DRAIN_SECONDS,
        **_tolerations(launch),
        "containers": [_container(job, rank)],
        "volumes": [
            _weights(job),
            {"name": SHARED_MEMORY, "emptyDir": {"medium": "Memory", "sizeLimit": f"{launch.shm_bytes}"}},
            *({"name": _volume(path), "emptyDir": {}} for path in launch.image.other_caches),
        ],
    }


def _security(launch: Launch) -> dict[str, object]:
    """No root where the image is made to do without; its group then owns what is on the claim."""
    profile = "Unconfined" if launch.gpu_kind == "rocm" else "RuntimeDefault"
    context: dict[str, object] = {"seccompProfile": {"type": profile}}
    if (account := launch.image.account) is not None:
        context |= {
            "runAsNonRoot": True,
            "runAsUser": account.user,
            "runAsGroup": account.group,
            "fsGroup": account.group,
        }
    return context


def _cache_path(launch: Launch, path: str) -> str:
    """Where a cache lies for the account that the container runs as."""
    account = launch.image.account
    return path if account is None else path.replace("/root", account.home, 1)


def _volume(path: str) -> str:
    return path.rsplit("/", 1)[-1].lstrip(".").replace("_", "-").lower() + "-cache"


def _container(job: Job, rank: int) -> dict[str, object]:
    launch = job.launch
    program = container_program(launch, rank)
    resources = gpu_resources(launch)
    granted = container.rights(launch)
    return {
        "name": launch.engine,
        "image": launch.image.reference,
        **({"command": _words(program.entrypoint)} if program.entrypoint is not None else {}),
        "args": _words(program.arguments),
        **({"env": found} if (found := environment(job)) else {}),
        "ports": [{"name": "http", "containerPort": launch.port}],
        "resources": {"limits": resources, "requests": resources} if resources else {},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {
                "drop": ["ALL"],
                **({"add": list(granted.capabilities)} if granted.capabilities else {}),
            },
        },
        **(_probes(launch) if rank == 0 else {}),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": WEIGHTS, "mountPath": _cache_path(launch, launch.image.cache_directory)},
            {"name": SHARED_MEMORY, "mountPath": "/dev/shm"},  # noqa: S108 (where NCCL and PyTorch look)
            *(
                {"name": _volume(path), "mountPath": _cache_path(launch, path)}
                for path in launch.image.other_caches
            ),
        ],
    }


def _words(words: tuple[Word, ...]) -> list[str]:
    return [kubernetes_word(word) for word in words]


def gpu_resources(launch: Launch) -> dict[str, str]:
    """GPUs by the name of their device plug-in, parts of one by their profile; none on a CPU."""
    name = f"nvidia.com/mig-{launch.mig_profile}" if launch.mig_profile else RESOURCES.get(launch.gpu_kind)
    return {name: str(launch.gpus_per_node)} if name else {}


def environment(job: Job) -> list[Mapping[str, object]]:
    """Plain variables, and secrets by reference; a secret that is a flag is a variable too, for the flag to name."""
    launch = job.launch
    held = {**launch.secrets, **{name: name for _, name in launch.secret_flags}}
    plain = ({"name": name, "value": kubernetes_word(value)} for name, value in launch.environment.items())
    secret = (
        {"name": name, "valueFrom": {"secretKeyRef": {"name": secret_name(job), "key": holder}}}
        for name, holder in held.items()
    )
    return [*plain, *secret]


def _probes(launch: Launch) -> dict[str, object]:
    """The start-up probe waits as long as loading may take; the others begin after it has succeeded."""
    get = {"httpGet": {"path": launch.health_path, "port": "http"}}
    return {
        "startupProbe": {
            **get,
            "periodSeconds": PROBE_SECONDS,
            "failureThreshold": ceil(launch.load_seconds / PROBE_SECONDS),
        },
        "readinessProbe": {**get, "periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": 3},
        "livenessProbe": {**get, "periodSeconds": PROBE_SECONDS, "timeoutSeconds": 10, "failureThreshold": 6},
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", str(DRAIN_SECONDS)]}}},
    }


def _tolerations(launch: Launch) -> dict[str, object]:
    name = RESOURCES.get(launch.gpu_kind)
    return {"tolerations": [{"key": name, "operator": "Exists", "effect": "NoSchedule"}]} if name else {}


def renamed(launch: Launch, names: Mapping[str, str]) -> Launch:
    """The launch with a node's variables by the names that a cluster gives them."""
    cluster = launch.cluster
    if cluster is None:
        return launch

    def words(found: tuple[Word, ...]) -> tuple[Word, ...]:
        return tuple(
            Variable(names.get(word.name, word.name), word.suffix) if isinstance(word, Variable) else word
            for word in found
        )

    return replace(
        launch,
        cluster=Cluster(
            rank=names.get(cluster.rank, cluster.rank),
            head=names.get(cluster.head, cluster.head),
            port=cluster.port,
            node_flags=words(cluster.node_flags),
            worker_flags=cluster.worker_flags,
            head_start=words(cluster.head_start),
            worker_start=words(cluster.worker_start),
        ),
    )
