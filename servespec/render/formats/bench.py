"""The spec's workload as commands of other load generators: ``vllm bench serve`` and guidellm."""

from __future__ import annotations

from servespec.bench.plan import workload_of
from servespec.engines.launch import Launch
from servespec.errors import RenderError
from servespec.render.artefact import Artefact
from servespec.render.job import Job
from servespec.render.templates import fill
from servespec.render.words import Word
from servespec.spec.model import Workload

NEEDS = "anything"
SEED = 0


def supports(launch: Launch) -> bool:
    """Every engine speaks the OpenAI protocol."""
    return True


def render(job: Job) -> tuple[Artefact, ...]:
    """``NAME.vllm-bench.sh`` and ``NAME.guidellm.sh``: exact lengths, one seed, closed or open loop."""
    workload, _ = workload_of(job.deployment)
    values = {
        "header": job.header.lines(),
        "url": job.base_url,
        "model": job.launch.served_model_name,
        "api_key_env": job.deployment.spec.server.api_key_env,
    }
    return tuple(
        Artefact(
            f"{job.name}.{name}.sh",
            fill(f"common/{name}.sh.j2", values | {"words": words}, job.templates),
            executable=True,
        )
        for name, words in (("vllm-bench", _vllm(job, workload)), ("guidellm", _guidellm(job, workload)))
    )


def _vllm(job: Job, workload: Workload) -> tuple[Word, ...]:
    """vllm/benchmarks/serve.py: the prefix comes on top of the random part of a prompt."""
    rate = workload.requests_per_second
    return (
        *("--backend", "openai", "--endpoint", "/v1/completions"),
        *("--model", job.launch.model, "--served-model-name", job.launch.served_model_name),
        *("--dataset-name", "random"),
        *("--random-input-len", str(max(1, workload.input_tokens - workload.shared_prefix_tokens))),
        *("--random-prefix-len", str(workload.shared_prefix_tokens)),
        *("--random-output-len", str(workload.output_tokens)),
        "--ignore-eos",
        *("--num-prompts", str(workload.requests)),
        *(
            ("--max-concurrency", str(workload.concurrency))
            if rate is None
            else ("--request-rate", f"{rate:g}")
        ),
        *("--seed", str(SEED)),
    )


def _guidellm(job: Job, workload: Workload) -> tuple[Word, ...]:
    """guidellm 0.8.1, ``guidellm run --help``; it has no prefix that all prompts share."""
    if "," in job.launch.served_model_name:
        raise RenderError("guidellm takes no model name with a comma: give server.served_model_name another")
    rate = workload.requests_per_second
    load = (
        f"kind=concurrent,streams={workload.concurrency}" if rate is None else f"kind=poisson,rate={rate:g}"
    )
    lengths = f"prompt_tokens={workload.input_tokens},output_tokens={workload.output_tokens}"
    return (
        *("--profile", load),
        *("--constraint", f"kind=max_requests,count={workload.requests}"),
        *("--data", f"kind=synthetic_text,{lengths}"),
        *("--seed", f"kind=static,value={SEED}"),
    )
