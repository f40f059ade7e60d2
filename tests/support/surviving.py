"""What holds for the report of any text whatever, and a spec to damage."""

from __future__ import annotations

import json

from servespec.check import check_file
from servespec.report import format_names, write
from servespec.report.model import CheckReport
from servespec.spec import load_text

BASE = """\
servespec: v1
name: small
model: {id: meta-llama/Llama-3.1-8B-Instruct, dtype: auto, quantization: fp8}
hardware: {gpu: H100-80GB, count: 2}
limits: {max_model_len: 8192, gpu_memory_fraction: 0.9}
parallel: {tensor: 2}
kv_cache: {dtype: fp8, block_size: 16}
speculative: {method: ngram, tokens: 4}
env: &e {HF_TOKEN: "${HF_TOKEN}", A: 1}
targets:
  vllm: {version: 0.25.1, env: *e, args: {enforce_eager: true}}
  sglang: {version: 0.5.17, args: {mem_fraction_static: 0.8}}
  tgi: {version: 3.3.7}
smoke: {prompts: [a, "b"]}
"""


def survives(data: str | bytes) -> CheckReport:
    """The report of a text; fails when reading, checking or telling raises."""
    report = CheckReport(files=(check_file(load_text(data)),))
    for name in format_names():
        write(report, name).encode("utf-8", "surrogateescape")
    json.loads(write(report, "json"))
    assert not [d.message for d in report.diagnostics() if d.code == "SV104"]
    file = report.files[0]
    assert report.exit_code() == 1 or file.verdict in ("fits", "tight", "unknown")
    return report
