"""A Ray Serve configuration that runs the engine under Ray's LLM application."""

from __future__ import annotations

from servespec.engines.launch import Launch
from servespec.render.artefact import Artefact
from servespec.render.header import plain
from servespec.render.job import Job
from servespec.render.yaml_writer import dump_yaml

BUILDER = "ray.serve.llm:build_openai_app"

NEEDS = "vLLM and a model of the Hub"


def supports(launch: Launch) -> bool:
    """Engines that Ray's LLM application runs; it places the ranks over nodes itself."""
    return "ray-serve" in launch.orchestrators and launch.offline is not None and not launch.mounts


def render(job: Job) -> tuple[Artefact, ...]:
    """``NAME.ray-serve.yaml``. Secrets come from the environment of Ray's workers."""
    launch = job.launch
    arguments = {key: value for key, value in (launch.offline or {}).items() if key != "model"}
    config: dict[str, object] = {
        "model_loading_config": {"model_id": launch.served_model_name, "model_source": launch.model},
        "deployment_config": {"num_replicas": job.deployment.spec.deploy.replicas},
        "engine_kwargs": arguments,
    }
    if launch.environment:
        config["runtime_env"] = {"env_vars": dict(launch.environment)}
    document = {
        "http_options": {"host": launch.host, "port": launch.port},
        "applications": [
            {
                "name": job.name,
                "import_path": BUILDER,
                "route_prefix": "/",
                "args": {"llm_configs": [config]},
            }
        ],
    }
    return (
        Artefact(f"{job.name}.ray-serve.yaml", dump_yaml(document, header=job.header.comment() + _note(job))),
    )


def _note(job: Job) -> str:
    """What Ray's workers need; the engine's own server, which would ask for a key, does not run under Ray."""
    key = job.deployment.spec.server.api_key_env
    lines = [
        f"# Ray's workers need {name} (from {holder}) in their environment."
        for name, holder in job.launch.secrets.items()
        if holder != key
    ]
    if key is not None:
        lines.append(
            f"# Ray Serve asks for no key: what {key} guards is open here; put a gateway before it that does."
        )
    return "".join(plain(line) + "\n" for line in lines)
