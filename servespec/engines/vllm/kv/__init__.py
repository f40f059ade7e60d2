"""The KV cache as vLLM lays it out: a spec for each layer, groups of layers, blocks, tokens.

Source: vllm/v1/kv_cache_interface.py and vllm/v1/core/kv_cache_utils.py of each release.
"""

from servespec.engines.vllm.kv.capacity import Capacity, capacity
from servespec.engines.vllm.kv.layers import LayerSpec, layer_specs

__all__ = ["Capacity", "LayerSpec", "capacity", "layer_specs"]
