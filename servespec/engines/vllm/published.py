"""How vLLM appears in what people publish."""

from __future__ import annotations

import re

from servespec.engines.published import Published, Wrapper

PUBLISHED = Published(
    # KServe's runtime "huggingface" is vLLM behind its own front end; llm-d's images are vLLM and its connectors.
    image=re.compile(r"vllm|^huggingface$|huggingfaceserver|^llm-d(?:-(?:cuda|aws|xpu|hpu|cpu|rocm|gb200)\S*)?(?::|$)"),
    numbered_apart=re.compile(r"huggingfaceserver|(?:^|/)lmcache/|(?:^|/)llm-d|rhaiis|vllm-neuron"),
    # Its versions still begin with 0; what does not is the number of something else (an NGC release, CUDA, ROCm).
    version=re.compile(r"(?<![\d.])(0\.\d+\.\d+(?:\.\d+)?(?:\.?post\d+)?(?:rc\d+|\.dev\d+)?|0\.\d+(?=-[cg]pu|$))(?!\d)"),
    programs=(("vllm", "serve"),),
    # torch of the wheels: 2.11 of 0.20.0 is built for CUDA 13, 2.10 of 0.19.0 and those before for 12.
    cuda=((">=0.20", 13), (">=0.2.3", 12)),
    # A project of its own that hangs in `vllm serve` for models that make images, sound and video.
    other_programs={"omni": "vLLM-Omni"},
    wrappers=(
        # kserve python/huggingfaceserver/huggingfaceserver/__main__.py, python/kserve/kserve/model_server.py
        Wrapper(
            name="KServe's server",
            image=re.compile(r"huggingfaceserver|^huggingface$"),
            flags={
                "model_name": "served_model_name", "model_id": "model", "model_dir": "model", "model_revision": "revision",
                "http_port": "port", "max_length": "max_model_len", "backend": None, "task": None, "grpc_port": None,
                "enable_grpc": None, "enable_docs_url": None, "workers": None, "max_threads": None,
                "max_asyncio_workers": None, "enable_latency_logging": None, "return_probabilities": None,
                "return_token_type_ids": None, "disable_lower_case": None, "disable_special_tokens": None,
                "tensor_input_names": None, "configure_logging": None, "access_log_format": None,
            },
        ),
    ),
    modules=(
        "vllm.entrypoints.openai.api_server", "vllm.entrypoints.api_server", "vllm.entrypoints.cli.main",
        "vllm.scripts",
    ),
    scripts=("vllm/entrypoints/openai/api_server.py",),
    classes=("LLM", "EngineArgs", "AsyncEngineArgs"),
    settings=("vllmConfig", "engine_kwargs"),
)  # fmt: skip
