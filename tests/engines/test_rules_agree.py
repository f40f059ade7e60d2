"""The real engines agree with the rules: their own validation refuses the bad example, in the words that the rule's card
quotes, and goes on with the good one.

Each engine is one process for all its examples. It runs for CPU, so rules about GPUs are not among these.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from servespec.engines import get_engine
from servespec.engines.launch import Launch, Variable
from servespec.resolve import find_facts, resolve_target
from servespec.rules import find_card
from servespec.spec.loader import load

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.usefixtures("one_engine_at_a_time")]

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "tests" / "examples" / "rules"
CATALOGUE = ROOT / "servespec" / "models" / "catalogue"

# What the engine prints over the bad example.
VLLM = {
    "SV201": "unrecognized arguments: --max-num-sequences",
    "SV202": "argument --max-num-seqs: invalid",
    "SV203": "argument --kv-cache-dtype: invalid choice: 'fp7'",
    "SV204": "cannot be converted to <function loads",
    "SV205": "Input should be less than or equal to 1",
    "SV220": "is smaller than max_model_len (8192)",
    "SV221": "must be greater than or equal to max_num_seqs",
    "SV222": "is greater than the derived max_model_len",
    "SV223": "cannot be greater than the max_model_len",
    "SV224": "cannot be greater than max_num_seqs",
    "SV227": "--mamba-block-size can only be set with --enable-prefix-caching",
    "SV229": "Input should be a valid dictionary",
    "SV230": "--enable-auto-tool-choice requires --tool-call-parser",
    "SV231": "--enable-log-outputs requires --enable-log-requests",
    "SV232": "--sse-keep-alive-interval must be a non-negative integer",
    "SV233": "--enable-per-request-metrics requires engine statistics logging",
    "SV234": "disable_any_whitespace is only supported for xgrammar and guidance",
    "SV235": "disable_additional_properties is only supported for the guidance backend",
    "SV236": "Please specify kv_role when kv_connector is set",
    "SV237": "collect_detailed_traces requires `--otlp-traces-endpoint`",
    "SV240": "argument --max-lora-rank: invalid choice: 24",
    "SV241": "max_cpu_loras (2) must be >= max_loras (4)",
    "SV242": "Consider increasing max_num_batched_tokens or decreasing num_speculative_tokens",
    "SV250": "cannot be other value than 1 or target model tensor_parallel_size",
    "SV251": "Please pass 'draft_tensor_parallel_size' instead",
    "SV252": "num_speculative_tokens",
    "SV253": "num_speculative_tokens was provided but without speculative model",
    "SV254": "prompt_lookup_min=8 must be <= prompt_lookup_max=4",
    "SV255": "Target and draft model should have the same vocabulary size",
    "SV256": "async scheduling is only supported with",
    "SV257": "--per-request-spec-decode-metrics requires speculative decoding",
    "SV258": "use_heterogeneous_vocab only works with method='draft_model'",
    "SV260": "max_cudagraph_capture_size are mutually exclusive",
    "SV266": "incompatible with PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True",
    "SV270": "data_parallel_size_local (4) must be <= data_parallel_size (2)",
    "SV271": "Non-MoE models do not support external data parallel mode",
    "SV272": "data_parallel_external_lb can only be set when data_parallel_size > 1",
    "SV273": "cannot be enabled together",
    "SV274": "must evenly divide the total world size (1)",
    "SV275": "`--node-rank` must be between 0 and 1",
    "SV276": "tp_size=4 must be divisible by dcp_size=3",
    "SV277": "Decode context parallelism for GQA/MQA requires",
    "SV320": "Total number of attention heads (28) must be divisible by tensor parallel size (8)",
    "SV324": "Number of experts in the model must be greater than 0",
    "SV327": "EPLB is not enabled",
    "SV330": "Unknown quantization method: bitsandbytes",
    "SV331": "does not match the quantization method specified in the `quantization` argument (fp8)",
    "SV336": "torch.float16 is not supported for quantization method",
    "SV337": "'gemma2' does not support float16",
}
SGLANG = {
    "SV280": "is greater than the derived context_length (40960)",
    "SV281": "chunked_prefill_size must be divisible by page_size",
    "SV282": "served_model_name cannot contain a colon",
    "SV283": "--disable-cuda-graph-padding is incompatible with --enable-torch-compile",
    "SV284": "schedule_policy must be 'fcfs' or 'lof'",
    "SV285": "--retraction-policy priority requires --enable-priority-scheduling",
    "SV286": "Please set --tokenizer-metrics-custom-labels-header",
    "SV287": "--export-metrics-to-file-dir is required",
    "SV288": "enable-hierarchical-cache and disable-radix-cache are mutually exclusive",
    "SV289": "--ssl-keyfile requires --ssl-certfile",
    "SV290": "--grpc-port (8000) must differ from --port (8000)",
    "SV292": "standalone speculative decoding does not support dp attention",
    "SV293": "PD-Multiplexing is not compatible with chunked prefill",
    "SV294": "Cannot set --encoder-only and --language-only together",
    "SV295": "--swa-full-tokens-ratio should be in range",
    "SV296": "Tokenizer worker num must >= 1",
    "SV297": "you need to specify both --max-lora-rank and --lora-target-modules",
    "SV298": "max_loaded_loras should be greater than or equal to max_loras_per_batch",
    "SV343": "tp_size must be divisible by number of nodes",
    "SV344": "multi-node data-parallel replicas are not supported",
    "SV345": "AssertionError",
    "SV346": "data-parallel replicas combined with attention data parallelism are not supported",
    "SV347": "Pipeline parallelism currently only supports EAGLE",
    "SV348": "moe_dense_tp_size only supports None, 1, or tp_size",
    "SV349": "tp_size must be divisible by moe_dp_size",
    "SV354": "does not match the quantization method specified in the `quantization` argument (fp8)",
}
Ask = Callable[[list[str], dict[str, str]], dict[str, object]]


@contextmanager
def validator(python: Path, script: str) -> Iterator[Ask]:
    """One process of the engine's Python that answers for a command line whether it goes on."""
    process = subprocess.Popen(
        [python, Path(__file__).with_name(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None
    stdin, stdout = process.stdin, process.stdout

    def ask(argv: list[str], env: dict[str, str]) -> dict[str, object]:
        stdin.write(json.dumps({"argv": argv, "env": env}) + "\n")
        stdin.flush()
        for line in stdout:
            if line.startswith("ANSWER "):
                answer: dict[str, object] = json.loads(line.removeprefix("ANSWER "))
                return answer
        raise AssertionError(f"{script} ended over {argv}")

    try:
        yield ask
    finally:
        stdin.close()
        process.wait(timeout=60)
        stdout.close()


@pytest.fixture(scope="module")
def vllm(vllm_python: Path) -> Iterator[Ask]:
    with validator(vllm_python, "validate_vllm.py") as ask:
        yield ask


@pytest.fixture(scope="module")
def sglang(sglang_python: Path) -> Iterator[Ask]:
    with validator(sglang_python, "validate_sglang.py") as ask:
        yield ask


def model_folder(model: str, folder: Path) -> str:
    """A folder with the catalogue's configuration of a model: all that validation reads."""
    data = json.loads((CATALOGUE / f"{model.replace('/', '--')}.json").read_text("utf-8"))
    place = folder / model.replace("/", "--")
    place.mkdir(exist_ok=True)
    (place / "config.json").write_text(json.dumps(data["config"]))
    return str(place)


def node_flags(launch: Launch) -> list[str]:
    """What the first of several nodes gets."""
    if launch.cluster is None:
        return []
    known = {launch.cluster.rank: "0", launch.cluster.head: "127.0.0.1"}
    return [known[w.name] + w.suffix if isinstance(w, Variable) else w for w in launch.cluster.node_flags]


def command(path: Path, engine: str, folder: Path) -> tuple[list[str], dict[str, str]]:
    """The flags and variables that servespec would start the engine with."""
    loaded = load(path)
    assert loaded.spec is not None, loaded.diagnostics
    facts = find_facts(loaded.spec, loaded.directory)
    launch = get_engine(engine).lower(resolve_target(loaded.spec, engine, facts, loaded.directory).deployment)
    models = {loaded.spec.model.id, "Qwen/Qwen3-0.6B"}
    if loaded.spec.speculative and loaded.spec.speculative.model:
        models.add(loaded.spec.speculative.model)
    flags = [*launch.flags, *([] if "--node-rank" in launch.flags else node_flags(launch))]
    for model in models:
        if any(model in flag for flag in flags):
            flags = [flag.replace(model, model_folder(model, folder)) for flag in flags]
    return flags, dict(launch.environment)


def agree(
    ask: Ask, code: str, words: str, engine: str, around: tuple[list[str], list[str]], folder: Path
) -> None:
    before, after = around
    flags, env = command(EXAMPLES / code / "bad.yaml", engine, folder)
    refused = ask([*before, *flags, *after], env)
    assert refused["ok"] is False, f"{engine} goes on with the bad example"
    assert words in str(refused["error"])
    flags, env = command(EXAMPLES / code / "good.yaml", engine, folder)
    answer = ask([*before, *flags, *after], env)
    assert answer["ok"] is True, answer


@pytest.mark.parametrize("code", VLLM)
def test_vllm_refuses_the_bad_example_and_takes_the_good_one(code: str, vllm: Ask, tmp_path: Path) -> None:
    agree(vllm, code, VLLM[code], "vllm", (["serve"], []), tmp_path)


@pytest.mark.parametrize("code", SGLANG)
def test_sglang_refuses_the_bad_example_and_takes_the_good_one(
    code: str, sglang: Ask, tmp_path: Path
) -> None:
    agree(sglang, code, SGLANG[code], "sglang", ([], ["--device", "cpu"]), tmp_path)


@pytest.mark.parametrize("code", [*VLLM, *SGLANG])
def test_the_card_of_a_rule_that_an_engine_confirms_is_an_error(code: str) -> None:
    card = find_card(code)
    assert card is not None
    assert card.severity.value == "error"
    assert card.error_text
