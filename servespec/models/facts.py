"""What a checkpoint is: an inventory of tensors, and what each layer keeps for each token.

Everything is as in the checkpoint, unsharded and before any engine touches it. How an engine
stores, pads, fuses or drops things is that engine's own policy (``engines/<engine>/weights``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType


class TensorKind(StrEnum):
    """What a tensor is for; decides what quantization, sharding and padding may touch it."""

    linear = "linear"
    expert = "expert"
    router = "router"
    embedding = "embedding"
    lm_head = "lm_head"
    norm = "norm"
    bias = "bias"
    conv = "conv"
    parameter = "parameter"  # sinks, A_log, dt_bias, position tables …


class Split(StrEnum):
    """How tensor parallelism divides a tensor."""

    replicated = "replicated"
    rows = "rows"  # axis 0, the output features (column parallel in the engines' words)
    columns = "columns"  # axis 1, the input features (row parallel)
    heads = "heads"  # axis 0 in whole heads; fewer heads than ranks are replicated
    vocabulary = "vocabulary"  # axis 0, padded by the engine


class Part(StrEnum):
    """Which part of the model a tensor belongs to; engines drop or place parts as a whole."""

    decoder = "decoder"
    vision = "vision"
    audio = "audio"
    projector = "projector"
    mtp = "mtp"  # multi-token prediction layers, loaded only for speculation


class Stage(StrEnum):
    """Where pipeline parallelism puts a tensor that belongs to no decoder layer."""

    first = "first"
    last = "last"
    every = "every"


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorGroup:
    """Tensors that differ in nothing but their layer and expert.

    ``name`` is the checkpoint's, with ``{layer}`` and ``{expert}`` in it; without the last
    ``.weight``/``.bias`` it is the module that quantization lists name. ``shape`` is of one
    tensor: (output features, input features) for a linear layer. ``layers`` are the decoder
    layers that have one, empty outside the decoder. ``experts`` of them are in each layer, spread
    over expert-parallel ranks. ``heads`` is set where ``split`` is ``heads``. ``copies`` counts
    further repeats that are not decoder layers (the blocks of a vision tower).
    ``dtype`` is fixed only where the model's own does not apply (float32 gates and so on).
    ``{block}`` in a name counts the copies. MTP layers (``part`` is ``mtp``) are numbered on from the
    decoder's where the checkpoint does so, else they are copies under a name of their own. A tensor
    that the checkpoint fuses is listed by its parts, all under the fused name.
    """

    name: str
    shape: tuple[int, ...]
    kind: TensorKind
    split: Split = Split.replicated
    layers: tuple[int, ...] = ()
    experts: int = 1
    copies: int = 1
    heads: int = 0
    dtype: str | None = None
    part: Part = Part.decoder
    stage: Stage = Stage.first

    @property
    def elements(self) -> int:
        """Number of elements of one tensor."""
        result = 1
        for size in self.shape:
            result *= size
        return result

    @property
    def count(self) -> int:
        """Number of tensors in the group."""
        return max(1, len(self.layers)) * self.experts * self.copies

    @property
    def module(self) -> str:
        """The module's path, as quantization configurations name it."""
        return self.name.removesuffix(".weight").removesuffix(".bias")


class KVKind(StrEnum):
    """What a layer keeps."""

    full = "full"
    sliding = "sliding"
    chunked = "chunked"
    latent = "latent"  # MLA: one compressed vector a token, replicated over tensor-parallel ranks
    recurrent = "recurrent"  # Mamba, gated delta net, linear attention: one state a sequence
    cross = "cross"  # keys and values of an encoder's output
    indexer = "indexer"  # sparse attention's own key cache beside the latent one


@dataclass(frozen=True, slots=True)
class StateTensor:
    """One tensor of a recurrent state: shape for a whole model, the axis that tp divides, its type.

    ``dtype`` None means the model's own.
    """

    shape: tuple[int, ...]
    split_axis: int | None
    dtype: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KVLayers:
    """Layers that keep the same thing.

    ``full``/``sliding``/``chunked``/``cross``: ``kv_heads`` × (``key_dim`` + ``value_dim``)
    elements a token. ``latent``: ``key_dim`` elements a token (kv_lora_rank + rope), no value.
    ``indexer``: ``key_dim`` elements a token. ``recurrent``: ``states`` once a sequence.
    Layers that keep nothing of their own and read another's are not listed at all.
    ``token_bytes`` is set where the cache has a type of its own whatever the KV cache's: bytes of a
    token in one layer. ``compress_ratio`` tokens share one entry (DeepSeek-V4).
    """

    kind: KVKind
    layers: tuple[int, ...]
    kv_heads: int = 0
    key_dim: int = 0
    value_dim: int = 0
    window: int | None = None
    states: tuple[StateTensor, ...] = ()
    state_type: str = ""  # mamba1, mamba2, gdn, linear, short_conv, kda
    part: Part = Part.decoder
    token_bytes: int | None = None
    compress_ratio: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class MoE:
    """Mixture of experts: sizes that activation and kernels' workspaces follow."""

    experts: int
    experts_per_token: int
    intermediate_size: int
    layers: tuple[int, ...]
    shared_intermediate_size: int = 0
    gated: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Vision:
    """A vision tower, as far as its profile run needs it."""

    hidden_size: int
    intermediate_size: int
    layers: int
    heads: int
    patch_size: int
    image_size: int | None = None
    tokens_per_image: int | None = None
    spatial_merge: int = 1
    temporal_patch: int = 1


@dataclass(frozen=True, slots=True)
class RopeTable:
    """A table of sines and cosines: positions × rotary dimensions, as vLLM would build it.

    ``dtype`` None means the model's own. ``kind`` is the scaling (default, llama3, yarn, mrope …).
    """

    positions: int
    rotary_dim: int
    dtype: str | None = None
    kind: str = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantization:
    """How the checkpoint says it is quantized.

    ``method`` is the configuration's own word (awq, gptq, fp8, compressed-tensors, modelopt …).
    ``formats`` are tried in order: the first whose pattern matches a module holds; a module that
    none matches, or that ``ignored`` matches, keeps the model's own type. A pattern is a module's
    path (which holds for all below it too), a glob, or a regular expression after ``re:``
    (see :mod:`servespec.models.quantization.matching`). ``online`` says that the engine quantizes
    while it loads a checkpoint that is not. ``lm_head`` says whether the method touches the output
    layer at all, ``towers`` whether it touches vision and audio towers.
    """

    method: str
    formats: tuple[tuple[str, WeightFormat], ...]
    ignored: tuple[str, ...] = ()
    kv_cache_dtype: str | None = None
    online: bool = False
    lm_head: bool = False
    towers: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightFormat:
    """How a linear layer's weight is stored.

    ``name`` is one of awq, gptq, pack-quantized (int4/int8, weights only), int-quantized (int8 with
    int8 activations), fp8, nvfp4, mxfp4, mxfp8, bitsandbytes, eetq, torchao. ``bits`` of one weight; ``group_size`` weights share a scale (None: the whole channel;
    ``block`` (rows, columns) for block-wise fp8). ``scale_dtype`` is that of the scales,
    ``zero_points`` whether there are packed zero points, ``act_order`` whether there is a
    ``g_idx`` that reorders, ``input_scale`` whether activations have a static scale, ``global_scale``
    whether there is one more scale for the tensor (NVFP4), ``symmetric`` whether zero is in the middle.
    ``activation_bits`` is None where activations keep the model's type; ``input_dynamic`` says that
    their scale is worked out at run time.
    """

    name: str
    bits: int
    group_size: int | None = None
    block: tuple[int, int] | None = None
    scale_dtype: str = "float16"
    zero_points: bool = False
    act_order: bool = False
    input_scale: bool = False
    global_scale: bool = False
    per_tensor_scale: bool = False
    symmetric: bool = True
    activation_bits: int | None = None
    input_dynamic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """Everything that servespec knows of a checkpoint.

    ``context_tokens`` is the longest context that the configuration allows, rope scaling
    included. ``dtype`` is the checkpoint's own. ``unmodelled`` names what the family module met
    and does not model: not empty means that no budget may be trusted. ``tensor_bytes`` is the sum of
    safetensors headers where a local folder gave them.

    ``extra`` holds what only some families have: ``max_position_embeddings``, ``rope_type``, ``rope_factor`` and
    ``rope_original_max_position_embeddings`` (versions of an engine derive the context differently),
    ``dtype_assumed``, ``kv_lora_rank``, ``q_lora_rank``, ``qk_nope_head_dim``, ``qk_rope_head_dim``, ``v_head_dim``,
    ``index_topk``, ``sparse_attention``, ``hc_mult`` (MLA and DeepSeek-V4), ``moe_latent_size``, ``expert_bias``,
    ``first_kv_shared_layer``, ``attention_k_eq_v``, ``hidden_size_per_layer_input``, ``global_head_dim`` (Gemma 4),
    ``deepstack_layers`` (Qwen3-VL), ``mamba_chunk_size`` and ``mamba_groups`` (Mamba 2), ``target_hidden_size`` (EAGLE heads), ``attn_res_block_size`` (Kimi-K3), ``mtp_layers_not_counted`` (the
    configuration speaks of MTP layers whose tensors are not in the inventory).
    """

    id: str
    source: str
    architecture: str
    model_type: str
    family: str
    dtype: str
    hidden_size: int
    intermediate_size: int
    layers: int
    attention_heads: int
    kv_heads: int
    head_dim: int
    vocab_size: int
    context_tokens: int
    tensors: tuple[TensorGroup, ...]
    kv: tuple[KVLayers, ...]
    revision: str | None = None
    tied_embeddings: bool = False
    sliding_window: int | None = None
    moe: MoE | None = None
    vision: Vision | None = None
    rope: tuple[RopeTable, ...] = ()
    quantization: Quantization | None = None
    has_audio: bool = False
    is_encoder_decoder: bool = False
    unmodelled: tuple[str, ...] = ()
    tensor_bytes: int | None = None
    extra: Mapping[str, int | float | str | bool] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def parameters(self) -> int:
        """Number of parameters, vision and other towers included, MTP layers too."""
        return sum(group.elements * group.count for group in self.tensors)

    @property
    def is_multimodal(self) -> bool:
        """Whether the model takes more than text."""
        return self.vision is not None or self.has_audio
