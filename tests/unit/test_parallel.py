"""Many files in several processes: the same report, in the same order."""

from __future__ import annotations

from pathlib import Path

from servespec.check import Options, check_files
from servespec.parallel import WORTH_WHILE, check_paths
from servespec.spec import load

SPEC = """\
servespec: v1
name: s{n}
model: {{id: meta-llama/Llama-3.1-8B-Instruct}}
hardware: {{gpu: H100-80GB}}
limits: {{max_model_len: {n}}}
targets: {{vllm: {{version: 0.25.1}}}}
"""


def test_processes_find_what_one_process_finds(tmp_path: Path) -> None:
    paths = [str(tmp_path / f"{n}.yaml") for n in range(WORTH_WHILE + 5)]
    for n, path in enumerate(paths):
        Path(path).write_text(SPEC.format(n=n * 64))
    together = check_paths(paths, Options(), processes=2)
    assert together == check_files(map(load, paths))
    assert [file.path for file in together.files] == paths
    assert together.files[0].diagnostics[0].code == "SV013"
