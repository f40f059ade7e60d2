"""The tools that the benchmark compares with: what each is, what it is given, and what it does not take.

Each has an adapter ``ask_<name>.py`` that runs inside the rival's own environment. It reads one JSON object a line
(:class:`benchmarks.accuracy.questions.Question`) and writes one answer a line.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """One tool from PyPI, pinned.

    ``engines`` are those it says that it plans for; rows of other engines are not held against it.
    ``given`` and ``lacks`` are sentences for the docs.
    """

    name: str
    version: str
    extras: str = ""
    engines: frozenset[str]
    given: str
    lacks: str

    @property
    def requirement(self) -> str:
        """What pip installs."""
        return f"{self.name}{self.extras}=={self.version}"

    @property
    def adapter(self) -> str:
        """The adapter's file name."""
        return f"ask_{self.name.replace('-', '_')}.py"


RIVALS = (
    Rival(
        name="llm-d-planner",
        version="0.3.3",
        extras="[estimation]",
        engines=frozenset({"vllm"}),
        given="`allocatable_kv_cache_memory` and `total_kv_cache_blocks` with the GPU's memory as the driver shows "
        "it (as a fraction of a GiB, although its command line takes whole GiB only), the memory fraction, tensor "
        "and pipeline parallelism, max_model_len and the block size. Where transformers does not know a model it "
        "gets the bare configuration instead of an error.",
        lacks="the vLLM version, the KV cache's type, batched tokens, the number of sequences, online quantization.",
    ),
    Rival(
        name="vramscout",
        version="0.7.0",
        engines=frozenset({"vllm"}),
        given="`--engine vllm --gpu-memory-utilization --vram-gib --tp --context --kv-dtype --dtype "
        "--prefill-chunk` (the batched tokens). KV bytes are its budget less weights, runtime, prefill scratch and "
        "reserve; tokens are those bytes by its cache bytes per token at max_model_len.",
        lacks="the vLLM version, pipeline parallelism, CUDA graphs, the number of sequences.",
    ),
    Rival(
        name="kvfit",
        version="0.3.0",
        engines=frozenset({"vllm", "sglang"}),
        given="`--hardware custom:GiB --gpus --tp --context --kv-dtype --utilization --allow-context-overflow`. KV "
        "bytes are its budget less weights, fixed cache and reserve; tokens are those bytes by its bytes per "
        "sequence at max_model_len.",
        lacks="the engine's version, activation memory (a reserve of its user's choice, 0 by default), pipeline "
        "parallelism, online quantization.",
    ),
    Rival(
        name="ridgepoint",
        version="0.1.2",
        engines=frozenset({"vllm", "sglang"}),
        given="`fit --engine vllm|sglang --gpu ID:N --dtype --kv-cache-dtype --ctx --json`; the GPU by its own list "
        "of names, the checkpoint before quantization with the quantization as `--dtype`, as its manual does. KV "
        "bytes are its `kv_pool_bytes` (best); tokens are those by its bytes per sequence.",
        lacks="GPUs outside its list, the memory fraction (0.90 is built in), the memory as the driver shows it, the "
        "engine's version, batched tokens.",
    ),
    Rival(
        name="chimeraforge",
        version="0.76.0",
        engines=frozenset({"vllm", "sglang", "tgi"}),
        given="its resolver on the checkpoint before quantization, and its `VRAMModel` with the quantization as "
        "its name for it, the GPU's memory, the memory fraction (which its command line fixes at 0.9), tensor and "
        "pipeline parallelism and the context. Tokens are the free bytes by its bytes per sequence, without its "
        "rounding down to whole sequences.",
        lacks="the engine and its version in the memory model, activation memory of the profile run, 4-bit floats "
        "(it gets its nearest 4-bit name).",
    ),
    Rival(
        name="hf-mem",
        version="0.5.6",
        engines=frozenset({"vllm", "sglang", "tgi"}),
        given="`--experimental --max-model-len --kv-cache-dtype --batch-size 1`. Its total of the weights and its "
        "KV bytes per token are divided evenly over the GPUs, which it does not do itself.",
        lacks="a GPU, a memory fraction, any parallelism: it cannot say how many tokens fit, so KV bytes and tokens "
        "count as no answer.",
    ),
)
