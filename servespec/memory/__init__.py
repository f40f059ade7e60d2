"""Physics that engines share: bytes of elements, shards of tensors, storage of quantized weights, KV bytes.

What an engine does with them (what it pads, fuses, repacks or drops, how it cuts the rest into
blocks) is that engine's own policy under ``engines/``.
"""
