"""How SGLang appears in what people publish."""

from __future__ import annotations

import re

from servespec.engines.published import Published

PUBLISHED = Published(
    image=re.compile(r"sglang|^sgl-dev(?::|$)"),  # rocm/sgl-dev: nightly builds for ROCm
    version=re.compile(r"(?<![\d.])(0\.\d+\.\d+(?:\.?post\d+)?(?:rc\d+)?)(?!\d)"),
    programs=(("sglang", "serve"),),
    # Requires-Dist of the wheels: torch 2.11 and cuda-python 13 since 0.5.11, torch 2.9 and cuda-python 12.9 of 0.5.10.
    cuda=((">=0.5.11", 13), (">=0.4", 12)),
    modules=("sglang.launch_server",),
    scripts=("sglang/launch_server.py",),
    classes=("sglang.Engine", "sgl.Engine"),
    settings=("sglangConfig",),
    # `sglang serve` starts another server for models that make images and video (sglang/multimodal_gen/runtime/server_args.py).
    other_flags=dict.fromkeys(
        (
            "num_gpus",
            "ulysses_degree",
            "ring_degree",
            "dit_cpu_offload",
            "dit_layerwise_offload",
            "vae_cpu_offload",
            "text_encoder_cpu_offload",
            "image_encoder_cpu_offload",
            "adjust_frames",
        ),
        "SGLang Diffusion",
    ),
)
