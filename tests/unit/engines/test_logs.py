"""Start-up logs as published or recorded, read by the engine's log reader."""

import json
from pathlib import Path

import pytest

from servespec.engines import get_engine

LOGS = Path(__file__).parents[2] / "data" / "logs"
CASES = sorted(LOGS.glob("*/*.log"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_published_log_reads_as_the_figures_it_prints(path: Path) -> None:
    expected = json.loads(path.with_suffix(".json").read_text())["expected"]
    observed = get_engine(path.parent.name).observe(path.read_text(), None)
    assert {name: getattr(observed, name) for name in expected} == expected


def phases(engine: str, name: str) -> list[str]:
    reader = get_engine(engine).log_reader("")
    lines = (LOGS / engine / f"{name}.log").read_text().splitlines()
    return [phase for phase in map(reader.feed, lines) if phase]


def test_vllm_tells_its_phases_in_order_until_it_is_ready() -> None:
    assert phases("vllm", "0.32.0-cpu") == [
        "reading the configuration",
        "starting the engine",
        "loading weights",
        "loading weights (0/1)",
        "loading weights (1/1)",
        "allocating the KV cache",
        "starting the HTTP server",
        "ready",
    ]


def test_sglang_is_ready_only_when_it_says_so_not_when_the_port_is_open() -> None:
    assert phases("sglang", "0.5.23-cpu")[-2:] == ["warming up", "ready"]


def test_compiling_is_a_phase_of_its_own() -> None:
    assert "compiling" in phases("vllm", "0.7.1-v1-blocks")


def test_the_rank_with_the_least_kv_cache_decides() -> None:
    log = (
        "(Worker_TP0 pid=1) INFO 05-14 00:04:17 [gpu_worker.py:460] Available KV cache memory: 15.72 GiB\n"
        "(Worker_TP1 pid=2) INFO 05-14 00:04:17 [gpu_worker.py:460] Available KV cache memory: 15.50 GiB\n"
    )
    assert get_engine("vllm").observe(log, None).kv_cache_bytes == round(15.5 * 2**30)


def test_the_pools_of_one_sglang_rank_are_added_and_ranks_are_not() -> None:
    log = "\n".join(
        f"[2025-10-16 09:06:22 {rank}] KV Cache is allocated. #tokens: 10, K size: {k} GB, V size: {k} GB"
        for rank in ("TP0", "TP1")
        for k in ("1.00", "0.25")
    )
    assert get_engine("sglang").observe(log, None).kv_cache_bytes == round(2.5 * 2**30)


@pytest.mark.parametrize(
    ("before", "kind"),
    [
        ("INFO 01-01 00:00:00 [x.py:1] Starting to load model m...", "weights_exceed_device"),
        ("INFO 01-01 00:00:00 [x.py:1] Capturing CUDA graphs", "graphs_exceed_memory"),
        ("INFO 01-01 00:00:00 [x.py:1] GPU KV cache size: 1 tokens", "out_of_memory"),
    ],
)
def test_running_out_of_memory_means_what_the_phase_makes_of_it(before: str, kind: str) -> None:
    log = f"{before}\ntorch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.\n"
    assert get_engine("vllm").observe(log, None).refusal_kind == kind


def test_what_a_running_server_logs_is_no_refusal() -> None:
    log = (
        LOGS / "vllm" / "0.32.0-cpu.log"
    ).read_text() + "ValueError: a prompt that says CUDA out of memory\n"
    observed = get_engine("vllm").observe(log, None)
    assert observed.ready
    assert observed.refusal is None


def test_the_name_of_a_setting_stands_before_what_is_wrong_with_it() -> None:
    log = (
        "pydantic_core._pydantic_core.ValidationError: 1 validation error for CacheConfig\n"
        "gpu_memory_utilization\n"
        "  Input should be less than or equal to 1 [type=less_than_equal, input_value=1.5, input_type=float]\n"
    )
    observed = get_engine("vllm").observe(log, None)
    assert observed.refusal == "gpu_memory_utilization: Input should be less than or equal to 1"


def test_colours_and_progress_bars_do_not_hide_a_figure() -> None:
    log = "10%\r20%\r\x1b[1;36m(EngineCore pid=1)\x1b[0;0m INFO 05-14 00:04:17 [w.py:1] Available KV cache memory: 2 GiB"
    assert get_engine("vllm").observe(log, None).kv_cache_bytes == 2 << 30


def test_a_figure_of_hundreds_of_digits_is_damage() -> None:
    log = f"Available KV cache memory: {'9' * 400}.0 GiB"
    assert get_engine("vllm").observe(log, None).kv_cache_bytes is None


def test_a_log_without_a_version_takes_the_one_given() -> None:
    assert get_engine("sglang").observe("nothing", "0.5.23").version == "0.5.23"
    assert get_engine("vllm").observe("vLLM API server version 0.8.5", "0.1").version == "0.8.5"


def test_a_printed_figure_carries_half_a_unit_of_its_last_digit() -> None:
    observed = get_engine("vllm").observe("Available KV cache memory: 15.72 GiB", None)
    assert observed.precision == {"kv_cache_bytes": 0.005 * 2**30}


def test_the_rounding_of_parts_adds_up() -> None:
    line = "[2025-10-16 09:06:22] KV Cache is allocated. #tokens: 10, K size: 1.00 GB, V size: 1.00 GB"
    assert get_engine("sglang").observe(line, None).precision == {"kv_cache_bytes": 0.01 * 2**30}


def test_a_line_of_source_in_a_traceback_is_no_reason() -> None:
    log = (
        "    raise HFValidationError(\n"
        "    except torch.OutOfMemoryError as e:\n"
        "huggingface_hub.errors.HFValidationError: Repo id must be in the form 'name': '/nowhere'.\n"
    )
    for engine in ("vllm", "sglang"):
        observed = get_engine(engine).observe(log, None)
        assert observed.refusal_kind == "model_not_found"
        assert "/nowhere" in (observed.refusal or "")


TWO_WORKERS = """\
(EngineCore pid=90) INFO 05-14 00:03:50 [core.py:105] Initializing a V1 LLM engine (v0.25.1) with config: x
(Worker_TP1 pid=97) INFO 05-14 00:04:01 [gpu_model_runner.py:4879] Model loading took 7.53 GiB memory and 2.1 seconds
(Worker_TP0 pid=96) INFO 05-14 00:04:01 [gpu_model_runner.py:4879] Model loading took 7.51 GiB memory and 2.2 seconds
(Worker_TP0 pid=96) (Worker_TP1 pid=97) INFO 05-14 00:04:17 [gpu_worker.py:460] Available KV cache memory: 61.20 GiB
(Worker_TP0 pid=96) INFO 05-14 00:04:17 [gpu_worker.py:460] Available KV cache memory: 61.75 GiB
(EngineCore pid=90) INFO 05-14 00:04:18 [kv_cache_utils.py:1733] GPU KV cache size: 1,002,608 tokens
"""


def test_each_vllm_worker_keeps_its_own_figures_when_lines_interleave() -> None:
    seen = get_engine("vllm").observe(TWO_WORKERS, None)
    gib = 2**30
    assert {rank: dict(said) for rank, said in seen.ranks.items()} == {
        "Worker_TP1": {"weights_bytes": round(7.53 * gib), "kv_cache_bytes": round(61.20 * gib)},
        "Worker_TP0": {"weights_bytes": round(7.51 * gib), "kv_cache_bytes": round(61.75 * gib)},
    }
    assert (seen.weights_bytes, seen.kv_cache_bytes) == (round(7.53 * gib), round(61.20 * gib))
    assert seen.kv_tokens == 1_002_608
    assert seen.version == "0.25.1"


@pytest.mark.parametrize(
    "workers",
    [
        ("(VllmWorker rank=0 pid=7) ", "(VllmWorker rank=1 pid=8) "),
        ("(VllmWorkerProcess pid=7) ", "(VllmWorkerProcess pid=8) "),
        ("(VllmWorker TP0 pid=7) ", "(VllmWorker TP1 pid=8) "),
        (
            "(EngineCore_DP0 pid=3) (RayWorkerWrapper pid=7) ",
            "(EngineCore_DP0 pid=3) (RayWorkerWrapper pid=8) ",
        ),
        ("(Worker_PP0_TP0 pid=7) ", "(Worker_PP1_TP0 pid=8) "),
    ],
    ids=lambda workers: workers[0],
)
def test_vllm_workers_are_told_apart_however_a_release_names_them(workers: tuple[str, str]) -> None:
    log = "\n".join(
        f"{worker}INFO 05-14 00:04:17 [x.py:1] Available KV cache memory: {gib} GiB"
        for worker, gib in zip(workers, ("10.00", "9.00"), strict=True)
    )
    seen = get_engine("vllm").observe(log, None)
    assert [said["kv_cache_bytes"] for said in seen.ranks.values()] == [10 * 2**30, 9 * 2**30]
    assert seen.kv_cache_bytes == 9 * 2**30


@pytest.mark.parametrize("ranks", [("PP0", "PP1"), ("DP0", "DP1"), ("DP0 TP0 EP0", "DP0 TP1 EP1")])
def test_sglang_ranks_are_told_apart_and_their_pools_not_added(ranks: tuple[str, str]) -> None:
    stamp = "2026-01-10 09:06:22"
    log = "\n".join(
        f"Loading safetensors checkpoint shards: 100% |###| 4/4[{stamp} {rank}] {message}"
        for rank, gib in zip(ranks, ("2.50", "2.00"), strict=True)
        for message in (
            f"Load weight end. elapsed=1.20 s, type=X, dtype=y, avail mem=70.00 GB, mem usage={gib} GB.",
            f"KV Cache is allocated. #tokens: 10, K size: {gib} GB, V size: {gib} GB",
        )
    )
    seen = get_engine("sglang").observe(log, None)
    assert list(seen.ranks) == list(ranks)
    assert (seen.weights_bytes, seen.kv_cache_bytes) == (round(2.5 * 2**30), 4 * 2**30)
    assert seen.precision["kv_cache_bytes"] == pytest.approx(0.01 * 2**30)


def test_figures_are_found_in_lines_as_long_as_sglang_prints_its_arguments() -> None:
    padding = ", ".join(f"argument_{number}=None" for number in range(500))
    line = f"[2026-01-10 09:06:22] server_args=ServerArgs(model_path='m', page_size=64, {padding})"
    assert len(line) > 9_000
    assert get_engine("sglang").observe(line, None).block_size == 64
