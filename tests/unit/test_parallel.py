"""Many files in several processes: the same report, in the same order, and only where it pays."""

from __future__ import annotations

import concurrent.futures
from pathlib import Path

import pytest

from servespec import parallel
from servespec.check import Options, check_files
from servespec.parallel import check_paths
from servespec.spec import load

SPEC = """\
servespec: v1
name: s{n}
model: {{id: meta-llama/Llama-3.1-8B-Instruct}}
hardware: {{gpu: H100-80GB}}
limits: {{max_model_len: {length}}}
targets: {{vllm: {{version: 0.25.1}}, sglang: {{version: 0.5.17}}, tgi: {{version: 3.3.7}}}}
"""


def written(folder: Path, *lengths: int) -> list[str]:
    paths = [str(folder / f"{n:03}.yaml") for n in range(len(lengths))]
    for n, (path, length) in enumerate(zip(paths, lengths, strict=True)):
        Path(path).write_text(SPEC.format(n=n, length=length))
    return paths


class Pool(concurrent.futures.ProcessPoolExecutor):
    """The pool itself, which tells that it was started."""

    started = 0

    def __init__(self, processes: int) -> None:
        Pool.started += 1
        super().__init__(processes)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processors, and a fiftieth of the files that the choice is made by."""
    for name in ("FIRST", "WORTH_WHILE"):
        monkeypatch.setattr(parallel, name, 20)
    monkeypatch.setattr(parallel, "_SHARE", 10)
    monkeypatch.setattr(parallel, "_processors", lambda: 2)
    monkeypatch.setattr(concurrent.futures, "ProcessPoolExecutor", Pool)
    Pool.started = 0


def test_processes_find_what_one_process_finds(tmp_path: Path) -> None:
    paths = written(tmp_path, *range(0, 64 * 605, 64))
    together = check_paths(paths, Options(), processes=2)
    assert together == check_files(map(load, paths))
    assert [file.path for file in together.files] == paths
    assert together.files[0].diagnostics[0].code == "SV013"


@pytest.mark.usefixtures("small")
def test_many_files_of_which_no_two_are_alike_are_shared_out(tmp_path: Path) -> None:
    paths = written(tmp_path, *range(1024, 1024 + 45))
    assert check_paths(paths, Options()) == check_files(map(load, paths))
    assert Pool.started == 1


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("lengths", [[4096] * 45, range(1024, 1024 + 39)], ids=["alike", "few"])
def test_files_that_one_process_is_faster_with_are_not(tmp_path: Path, lengths: list[int]) -> None:
    paths = written(tmp_path, *lengths)
    assert check_paths(paths, Options()) == check_files(map(load, paths))
    assert Pool.started == 0
