"""How TGI appears in what people publish."""

from __future__ import annotations

import re

from servespec.engines.published import Published

PUBLISHED = Published(
    image=re.compile(r"text-generation-inference|(?:^|[^a-z])tgi(?:[^a-z]|$)"),
    version=re.compile(r"(?<![\d.])([0-3]\.\d+(?:\.\d+)?)(?!\d)"),
    numbered_apart=re.compile(r"neuronx-tgi|optimum-tpu"),
    programs=(("text-generation-launcher",),),
    cuda=((">=2.3", 12),),  # Dockerfile: 12.4; before it both 11.8 and 12.1
    image_environment={"PORT": "80"},  # Dockerfile, ENV PORT
    # Dockerfile_trtllm, Dockerfile_llamacpp; their flags: backends/trtllm/src/main.rs, backends/llamacpp/src/main.rs.
    other_programs={"trtllm": "the TensorRT-LLM backend", "llamacpp": "the llama.cpp backend"},
)
