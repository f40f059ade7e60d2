"""The peak of vLLM's profile run, as one term: :func:`activation_term`.

The profile run pushes ``max_num_batched_tokens`` dummy tokens through the model and then samples for
``max_num_seqs`` sequences; what PyTorch had allocated at the worst moment, above the weights, is
taken off the budget (``v1/worker/gpu_worker.py determine_available_memory``). The peak is therefore
the larger of two phases, each a sum of tensors that are alive together: the widest moment of a
decoder layer (:mod:`.forward`) and the sampler (:mod:`.sampler`), plus what persists through both
(:mod:`.persistent`).
"""

from servespec.engines.vllm.activation.term import activation_term

__all__ = ["activation_term"]
