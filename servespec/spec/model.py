"""The language ``servespec: v1`` as frozen pydantic models.

Every field has a description, and where it is a quantity a unit; the JSON Schema, the reference
in ``docs/`` and the editor's completion come from here. ``null`` and an absent key mean the same:
what the engine of that version would do by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from servespec.spec.types import (
    ArgValue,
    DeviceMemory,
    EnvValue,
    Fraction,
    Host,
    ImageReference,
    Name,
    Namespace,
    NonNegative,
    NonNegativeFloat,
    Port,
    Positive,
    PositiveFloat,
    Text,
)


def unit(name: str) -> dict[str, Any]:
    """Mark a field with its unit, for the schema and the reference."""
    return {"x-unit": name}


S = TypeVar("S", bound="Section")


class Section(BaseModel):
    """A mapping of the spec: frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def _one(section: type[S]) -> Callable[[], S]:
    """A factory that makes one section of nothing but defaults; frozen as it is, it stands in every spec."""
    return cache(section)


class Adapters(Section):
    """LoRA adapters served beside the base model."""

    max_loras: Positive | None = Field(
        None,
        description="Adapters that one batch may use at once.",
        examples=[4],
        json_schema_extra=unit("adapters"),
    )
    max_rank: Positive | None = Field(
        None, description="Highest rank of any adapter.", examples=[64], json_schema_extra=unit("rank")
    )
    modules: dict[Text, Text] = Field(
        default_factory=dict,
        description="Adapters loaded at start: the name that requests use, and a folder or Hub id.",
        examples=[{"sql": "./sql-lora"}],
    )


class Model(Section):
    """Which checkpoint."""

    id: Text = Field(
        description="Hub id (org/name), or a local folder starting with '.', '/' or '~'.",
        examples=["meta-llama/Llama-3.1-8B-Instruct"],
    )
    revision: Text | None = Field(
        None,
        description="Commit, tag or branch of the Hub repository; a commit hash makes the deployment repeatable.",
        examples=["0e9e39f249a16976918f6564b8830bc894c89659"],
    )
    config: Text | None = Field(
        None,
        description="Read the model's facts from this config.json (X_config.json has its X_hf_quant_config.json "
        "beside it) or folder, relative to the spec.",
        examples=["./config.json"],
    )
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = Field(
        "auto",
        description="Type of weights and activations; auto takes the checkpoint's.",
        examples=["bfloat16"],
    )
    quantization: Text | None = Field(
        None,
        description="Quantization method in the engine's own word; null takes what the checkpoint says.",
        examples=["fp8", "awq", "gptq", "bitsandbytes", "eetq", "compressed-tensors", "modelopt"],
    )
    trust_remote_code: bool = Field(
        False, description="Run Python code that the model's repository brings along.", examples=[False]
    )
    adapters: Adapters | None = Field(
        None, description="LoRA adapters.", examples=[{"max_loras": 4, "max_rank": 64}]
    )


class Hardware(Section):
    """On which machines."""

    gpu: Text = Field(
        description="A GPU of the catalogue (`servespec gpus`), 'local' to ask the driver, or 'cpu'.",
        examples=["H100-80GB", "L4-24GB", "local", "cpu"],
    )
    count: Positive = Field(1, description="GPUs per node.", examples=[1, 8], json_schema_extra=unit("GPUs"))
    nodes: Positive = Field(1, description="Nodes.", examples=[1, 2], json_schema_extra=unit("nodes"))
    memory_gib: DeviceMemory | None = Field(
        None,
        description="Memory of one GPU as the engine sees it, where the catalogue should not be used.",
        examples=[79.18],
        json_schema_extra=unit("GiB"),
    )
    reserved_gib: NonNegativeFloat = Field(
        0.0,
        description="Memory of each GPU that other processes hold.",
        examples=[2.5],
        json_schema_extra=unit("GiB"),
    )


class Limits(Section):
    """What the server accepts and how much it does at once."""

    max_model_len: Positive | None = Field(
        None,
        description="Longest request, prompt and completion together.",
        examples=[8192],
        json_schema_extra=unit("tokens"),
    )
    max_input_tokens: Positive | None = Field(
        None, description="Longest prompt.", examples=[7168], json_schema_extra=unit("tokens")
    )
    max_concurrent_requests: Positive | None = Field(
        None,
        description="Sequences scheduled together; more wait in the queue.",
        examples=[64],
        json_schema_extra=unit("sequences"),
    )
    max_batched_tokens: Positive | None = Field(
        None,
        description="Tokens of one forward pass over all its sequences (the prefill budget).",
        examples=[8192],
        json_schema_extra=unit("tokens"),
    )
    gpu_memory_fraction: Fraction | None = Field(
        None,
        description="Share of the device that the server may use for everything: weights, activations, KV cache.",
        examples=[0.9],
        json_schema_extra=unit("fraction"),
    )


class Parallel(Section):
    """How the model is split over GPUs."""

    tensor: Positive = Field(
        1, description="Tensor-parallel ranks.", examples=[4], json_schema_extra=unit("GPUs")
    )
    pipeline: Positive = Field(
        1, description="Pipeline stages.", examples=[2], json_schema_extra=unit("stages")
    )
    data: Positive = Field(
        1, description="Data-parallel replicas.", examples=[2], json_schema_extra=unit("replicas")
    )
    expert: bool = Field(
        False,
        description="Spread whole experts over the GPUs instead of splitting each one.",
        examples=[True],
    )


class KVCache(Section):
    """The cache of keys and values."""

    dtype: Text = Field(
        "auto",
        description="Element type of the cache; auto takes the model's.",
        examples=["auto", "fp8", "fp8_e4m3"],
    )
    prefix_caching: bool | None = Field(
        None, description="Keep the cache of finished requests for prompts that begin alike.", examples=[True]
    )
    block_size: Positive | None = Field(
        None, description="Tokens of one KV block (page).", examples=[16], json_schema_extra=unit("tokens")
    )
    cpu_offload_gib: NonNegativeFloat = Field(
        0.0,
        description="Host memory of each GPU into which KV blocks may be swapped or offloaded.",
        examples=[8],
        json_schema_extra=unit("GiB"),
    )
    space_gib: PositiveFloat | None = Field(
        None,
        description="Fixed KV space instead of what is left over (CPU engines, kv_cache_memory_bytes).",
        examples=[1],
        json_schema_extra=unit("GiB"),
    )


class Speculative(Section):
    """Speculative decoding."""

    method: Text = Field(
        description="How drafts are made.", examples=["ngram", "eagle", "eagle3", "mtp", "draft", "medusa"]
    )
    tokens: Positive = Field(
        description="Draft tokens a step.", examples=[4], json_schema_extra=unit("tokens")
    )
    model: Text | None = Field(
        None,
        description="Draft model: Hub id or folder, where the method needs one.",
        examples=["org/draft-1b"],
    )
    config: Text | None = Field(
        None,
        description="The draft model's config.json, relative to the spec.",
        examples=["./draft/config.json"],
    )


class Workload(Section):
    """The traffic that the deployment is meant for."""

    input_tokens: Positive = Field(
        512, description="Prompt of a usual request.", json_schema_extra=unit("tokens")
    )
    output_tokens: Positive = Field(
        128, description="Completion of a usual request.", json_schema_extra=unit("tokens")
    )
    concurrency: Positive = Field(
        32, description="Requests in flight together.", json_schema_extra=unit("requests")
    )
    requests: Positive = Field(
        100, description="Requests that bench sends.", json_schema_extra=unit("requests")
    )
    shared_prefix_tokens: NonNegative = Field(
        0, description="Tokens that all prompts begin with.", json_schema_extra=unit("tokens")
    )
    requests_per_second: PositiveFloat | None = Field(
        None,
        description="Arrival rate (open loop); null sends the next request when one ends.",
        examples=[5],
        json_schema_extra=unit("requests/s"),
    )


class Objectives(Section):
    """What bench and plan hold the workload against."""

    ttft_ms: PositiveFloat | None = Field(
        None, description="Time to first token, p95.", examples=[500], json_schema_extra=unit("ms")
    )
    itl_ms: PositiveFloat | None = Field(
        None, description="Inter-token latency, p95.", examples=[50], json_schema_extra=unit("ms")
    )
    output_tokens_per_second: PositiveFloat | None = Field(
        None, description="Completion tokens of all requests together.", json_schema_extra=unit("tokens/s")
    )


class Server(Section):
    """Where the server listens."""

    host: Host = Field(
        "0.0.0.0",  # noqa: S104 (what engines bind by default)
        description="Address that the server binds: a name or a number, without spaces.",
        examples=["127.0.0.1"],
    )
    port: Port = Field(8000, description="TCP port.", examples=[8000])
    served_model_name: Text | None = Field(
        None, description="Name that requests use; null: the model's id.", examples=["llama-3-1-8b"]
    )
    api_key_env: Name | None = Field(
        None,
        description="Environment variable that holds the API key; the key itself is never written.",
        examples=["SERVER_API_KEY"],
    )


class Deploy(Section):
    """What cluster artefacts need."""

    replicas: Positive = Field(
        1, description="Copies of the whole deployment.", json_schema_extra=unit("replicas")
    )
    cache_volume: Text | None = Field(
        None, description="Volume or claim that keeps downloaded weights.", examples=["hf-cache"]
    )
    namespace: Namespace | None = Field(
        None,
        description="Namespace in Kubernetes: lower-case letters, digits and '-'.",
        examples=["inference"],
    )


class Target(Section):
    """One engine, at one version."""

    version: Text | None = Field(
        None, description="Engine version; null: the newest that servespec knows.", examples=["0.25.1"]
    )
    image: ImageReference | None = Field(
        None, description="Container image, best with a digest.", examples=["vllm/vllm-openai:v0.25.1"]
    )
    env: dict[Name, EnvValue] = Field(
        default_factory=dict,
        description="Environment variables of this engine alone.",
        examples=[{"NCCL_DEBUG": "WARN"}],
    )
    args: dict[Text, ArgValue] = Field(
        default_factory=dict,
        description="Any flag of that version's server command, by its name, checked by type and choices.",
        examples=[{"enforce_eager": True}],
    )


class Smoke(Section):
    """What the smoke test asks for."""

    prompts: tuple[Text, ...] = Field(
        ("The capital of France is",), description="Prompts that are completed.", examples=[["Hello"]]
    )
    structured_output: bool = Field(True, description="Ask for JSON by a schema and validate it.")
    streaming: bool = Field(True, description="Ask for a streamed completion.")
    over_long_is_refused: bool = Field(
        True, description="Send a request longer than max_model_len and expect a refusal."
    )


class Spec(Section):
    """One deployment: a model, on hardware, with limits, for one or more engines."""

    servespec: Literal["v1"] = Field(description="Version of the language.", examples=["v1"])
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")] = Field(
        description="Name of the deployment: letters, digits, '.', '_', '-'; at most 100.",
        examples=["llama-3-1-8b"],
    )
    extends: Text | None = Field(
        None,
        description="A spec that this one overrides, key by key; paths in it hold from its own folder.",
        examples=["./base.yaml"],
    )
    model: Model = Field(description="Which checkpoint.")
    hardware: Hardware = Field(description="On which machines.")
    limits: Limits = Field(
        default_factory=_one(Limits), description="What the server accepts and does at once."
    )
    parallel: Parallel = Field(
        default_factory=_one(Parallel), description="How the model is split over GPUs."
    )
    kv_cache: KVCache = Field(default_factory=_one(KVCache), description="The cache of keys and values.")
    speculative: Speculative | None = Field(None, description="Speculative decoding.")
    workload: Workload | None = Field(None, description="The traffic that the deployment is meant for.")
    objectives: Objectives | None = Field(None, description="What bench and plan hold the workload against.")
    server: Server = Field(default_factory=_one(Server), description="Where the server listens.")
    deploy: Deploy = Field(default_factory=_one(Deploy), description="What cluster artefacts need.")
    env: dict[Name, EnvValue] = Field(
        default_factory=dict,
        description="Environment of every engine: a reference like ${HF_TOKEN}, or a plain value that is no secret.",
        examples=[{"HF_TOKEN": "${HF_TOKEN}"}],
    )
    targets: dict[Text, Target] = Field(
        default_factory=dict,
        description="Engines by name; absent: all that servespec knows, each at its newest version.",
        examples=[{"vllm": {"version": "0.25.1"}}],
    )
    smoke: Smoke = Field(default_factory=_one(Smoke), description="What the smoke test asks for.")
