"""How vLLM appears in what people publish."""

from __future__ import annotations

import re

from servespec.engines.published import Published

PUBLISHED = Published(
    # KServe's runtime "huggingface" is vLLM behind its own front end; llm-d's images are vLLM and its connectors.
    image=re.compile(r"vllm|^huggingface$|huggingfaceserver|^llm-d(?:-(?:cuda|aws|xpu|hpu|cpu|rocm|gb200)\S*)?(?::|$)"),
    numbered_apart=re.compile(r"huggingfaceserver|(?:^|/)lmcache/|(?:^|/)llm-d|rhaiis|vllm-neuron"),
    # Its versions still begin with 0; what does not is the number of something else (an NGC release, CUDA, ROCm).
    version=re.compile(r"(?<![\d.])(0\.\d+\.\d+(?:\.\d+)?(?:\.?post\d+)?(?:rc\d+|\.dev\d+)?|0\.\d+(?=-[cg]pu|$))(?!\d)"),
    programs=(("vllm", "serve"),),
    modules=(
        "vllm.entrypoints.openai.api_server", "vllm.entrypoints.api_server", "vllm.entrypoints.cli.main",
        "vllm.scripts",
    ),
    scripts=("vllm/entrypoints/openai/api_server.py",),
    settings=("vllmConfig", "engine_kwargs"),
)  # fmt: skip
