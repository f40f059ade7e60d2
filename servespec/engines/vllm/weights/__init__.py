"""What vLLM has in GPU memory after loading a model: :func:`weights_term`, one term a pipeline stage.

"Model loading took N GiB" is what PyTorch's allocator holds after load: parameters as the kernels want
them, and the buffers that modules make at construction.
"""

from servespec.engines.vllm.weights.offload import offloaded_bytes
from servespec.engines.vllm.weights.term import loading_peak, weights_term

__all__ = ["loading_peak", "offloaded_bytes", "weights_term"]
