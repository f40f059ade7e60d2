"""How SGLang appears in what people publish."""

from __future__ import annotations

import re

from servespec.engines.published import Published

PUBLISHED = Published(
    image=re.compile(r"sglang|^sgl-dev(?::|$)"),  # rocm/sgl-dev: nightly builds for ROCm
    version=re.compile(r"(?<![\d.])(0\.\d+\.\d+(?:\.?post\d+)?(?:rc\d+)?)(?!\d)"),
    programs=(("sglang", "serve"),),
    modules=("sglang.launch_server",),
    scripts=("sglang/launch_server.py",),
    settings=("sglangConfig",),
)
