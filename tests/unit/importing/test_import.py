"""Sources of every kind, and what is told about what could not be carried."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servespec.check import check_file
from servespec.diagnostics import Severity
from servespec.errors import ServespecError, SourceError
from servespec.importing import import_source, to_yaml
from servespec.memory.budget import Verdict
from servespec.spec.loader import load_text


def one(text: str, path: str | None = None, engine_version: str | None = None) -> dict[str, Any]:
    """The only spec of a source, as data that the language accepts."""
    (spec,) = import_source(text, path, engine_version).specs
    loaded = load_text(to_yaml(spec, "a source"))
    assert loaded.spec is not None, loaded.diagnostics
    return dict(spec.data)


WANTED = {"max_model_len": 8192}
SOURCES = {
    "command": "vllm serve org/m --max-model-len 8192",
    "module": "python3 -m vllm.entrypoints.openai.api_server --model org/m --max-model-len=8k".replace(
        "8k", "8192"
    ),
    "continuations": "exec vllm serve \\\n  'org/m' \\  \n  --max-model-len 8192 > log 2>&1 &",
    "variables": 'MODEL=org/m\nexport LEN=8192\nvllm serve "$MODEL" --max-model-len ${LEN} --port ${PORT:-8000}',
    "array": 'ARGS=(--max-model-len 8192)\nARGS+=(--port 8000)\nvllm serve org/m "${ARGS[@]}"',
    "inner shell": 'srun bash -lc "cd /x && vllm serve org/m --max-model-len 8192"',
    "docker": "docker run --gpus all -it -v ~/.cache:/c -p 8000:8000 vllm/vllm-openai:v0.10.0 "
    "--model org/m --max-model-len 8192",
    "compose": """
services:
  llm:
    image: vllm/vllm-openai:v0.10.0
    command: --model org/m --max-model-len 8192
""",
    "compose list": """
services:
  llm:
    image: vllm/vllm-openai:v0.10.0
    command: [--model, org/m, --max-model-len, 8192]
""",
    "deployment": """
apiVersion: apps/v1
kind: Deployment
spec:
  template:
    spec:
      containers:
        - name: llm
          image: vllm/vllm-openai:v0.10.0
          command: [vllm, serve, org/m]
          args: ["--max-model-len=$(LEN)"]
          env: [{name: LEN, value: "8192"}]
""",
    "shell in a manifest": """
containers:
  - image: vllm/vllm-openai:v0.10.0
    command: [/bin/sh, -c]
    args: ["vllm serve org/m --max_model_len 8192"]
""",
    "helm values": """
servingEngineSpec:
  modelSpec:
    - name: m
      repository: vllm/vllm-openai
      tag: v0.10.0
      modelURL: org/m
      vllmConfig: {maxModelLen: 8192, extraArgs: [--enforce-eager]}
""",
    "kubeai": """
kind: Model
spec: {url: "hf://org/m", engine: VLLM, args: [--max-model-len=8192], resourceProfile: "nvidia-gpu-l4:1"}
""",
    "skypilot": """
envs: {MODEL: org/m}
resources: {accelerators: "L4:1"}
run: |
  vllm serve $MODEL --max-model-len 8192
""",
    "dockerfile": """
FROM vllm/vllm-openai:v0.10.0
ENV LEN=8192
ENTRYPOINT ["vllm", "serve", "org/m"]
CMD ["--max-model-len", "8192"]
""",
    "systemd": """
[Service]
Environment=HF_HOME=/models
ExecStart=/opt/vllm/bin/vllm serve org/m \\
  --max-model-len 8192
""",
    "quadlet": """
[Container]
Image=docker.io/vllm/vllm-openai:v0.10.0
Exec=--model org/m --max-model-len 8192
""",
    "another shell": "ssh host 'cd /x; vllm serve org/m --max-model-len 8192'",
    "an apostrophe": "It's a server:\nvllm serve org/m --max-model-len 8192",
    "a page": "# It's easy\n```bash\nvllm serve org/m --max-model-len 8192\n```\nDon't wait.",
    "words in Python": 'run([\n  "vllm", "serve", "org/m",\n  "--max-model-len", "8192", "--port", str(PORT)])',
    "cmd.exe": "docker run --gpus all ^\r\n vllm/vllm-openai:v0.10.0 ^\r\n --model org/m --max-model-len 8192",
    "ray serve": """
llm_configs:
  - model_loading_config: {model_id: m, model_source: org/m}
    engine_kwargs: {max_model_len: 8192}
""",
    "kserve": """
kind: InferenceService
spec:
  predictor:
    model: {modelFormat: {name: vLLM}, storageUri: "hf://org/m", args: [--max-model-len=8192]}
""",
    "dstack": """
image: vllm/vllm-openai:v0.10.0
env: [MODEL=org/m]
commands: ["vllm serve $MODEL --max-model-len 8192 --tensor-parallel-size $DSTACK_GPUS_NUM"]
resources: {gpu: "H100:80GB:1"}
""",
    "helm template": """
containers:
- image: "vllm/vllm-openai:v0.10.0"
  {{- with .Values.x }}
  command: ["vllm", "serve", "org/m", "--max-model-len=8192", "--port={{ .Values.port }}"]
  {{- end }}
""",
    "configuration": "model: org/m\nmax-model-len: 8192\nenable-prefix-caching: true\nport: 8000\n",
}


@pytest.mark.parametrize("kind", SOURCES)
def test_the_same_server_in_another_form_is_the_same_spec(kind: str) -> None:
    data = one(SOURCES[kind])
    assert data["model"]["id"] == "org/m"
    assert data["limits"] == WANTED
    if "v0.10.0" in SOURCES[kind]:
        assert data["targets"]["vllm"]["version"] == "0.10.0"


def test_a_program_beside_the_engine_is_no_server() -> None:
    text = """
services:
  router: {image: "vllm/vllm-router:v0.1.1", command: ["--port", "80", "--host", "0.0.0.0"]}
  llm: {image: "vllm/vllm-openai:v0.10.0", command: ["--model", "org/m", "--max-model-len", "8192"]}
"""
    assert one(text)["model"]["id"] == "org/m"


def test_several_servers_are_several_specs_in_order() -> None:
    text = "vllm serve a/b\npython -m sglang.launch_server --model-path c/d\ntext-generation-launcher --model-id e/f"
    specs = import_source(text).specs
    assert [(spec.engine, spec.data["model"]["id"], spec.line) for spec in specs] == [
        ("vllm", "a/b", 1),
        ("sglang", "c/d", 2),
        ("tgi", "e/f", 3),
    ]


def test_what_only_the_environment_knows_is_left_out_and_told() -> None:
    (spec,) = import_source('vllm serve "$MODEL" --tensor-parallel-size $TP $EXTRA').specs
    assert "left out, its value is not in the source: --tensor-parallel-size $TP" in spec.notes
    assert "left out: $EXTRA" in spec.notes
    assert spec.data["model"]["id"] == "$MODEL"
    assert "model.id" in spec.comments


def test_what_is_assumed_is_a_comment_on_its_line() -> None:
    text = to_yaml(import_source("vllm serve a/b").specs[0], "x.sh")
    lines = [line for line in text.splitlines() if "# assumed" in line]
    assert [line.split(":")[0].strip() for line in lines] == ["gpu", "version"]
    assert text.startswith("# Imported from x.sh, line 1: vllm ")


def test_a_flag_that_no_version_has_is_kept_and_told() -> None:
    (spec,) = import_source("vllm serve a/b --no-such-flag 3 --port 1234", engine_version="0.25.1").specs
    assert spec.data["targets"]["vllm"]["args"] == {"no_such_flag": "3"}
    assert spec.data["server"]["port"] == 1234
    assert any("--no-such-flag" in note for note in spec.notes)


def test_the_version_is_the_newest_that_takes_the_flags_unless_it_is_said() -> None:
    command = "vllm serve a/b --num-scheduler-steps 8"
    assert import_source(command).specs[0].version == "0.10.0"
    assert import_source(command, engine_version="0.8.5").specs[0].version == "0.8.5"
    assert import_source(f"pip install vllm==0.9.2\n{command}").specs[0].version == "0.9.2"


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("vllm/vllm-openai:v0.8.5.post1", "0.8.5.post1"),
        ("vllm/vllm-openai:v0.17.0-aarch64-cu130", "0.17.0"),
        ("rocm/vllm:rocm6.2_mi300_ubuntu20.04_py3.9_vllm_0.6.4", "0.6.4"),
        ("rocm/sgl-dev:v0.5.6.post1-rocm700-mi30x-20251215", "0.5.6.post1"),
        ("public.ecr.aws/deep-learning-containers/vllm:0.13-gpu-py312", "0.13"),
        ("vllm/vllm-openai:v0.10.0rc2", "0.10.0rc2"),
        ("registry.example:5000/x/vllm-openai:v0.9.0.1@sha256:" + "0" * 64, "0.9.0.1"),
    ],
)
def test_a_tag_tells_the_version(image: str, version: str) -> None:
    (target,) = one(f"docker run --rm {image} --model a/b")["targets"].values()
    assert target["version"] == version


@pytest.mark.parametrize(
    "image",
    [
        "nvcr.io/nvidia/vllm:26.03-py3",
        "vllm/vllm-openai:latest",
        "vllm/vllm-openai:nightly-0123456789abcdef",
        "lmcache/vllm-openai:v0.3.1",
        "kserve/huggingfaceserver:v0.15.0-gpu",
        "ghcr.io/llm-d/llm-d-cuda:v0.4.0",
    ],
)
def test_a_tag_of_another_numbering_is_no_version(image: str) -> None:
    (spec,) = import_source(f"docker run {image} vllm serve a/b").specs
    assert "targets.vllm.version" in spec.comments
    assert not [d for d in check_file(load_text(to_yaml(spec, "x"))).diagnostics if d.code == "SV414"]


@pytest.mark.parametrize(
    ("image", "gpu"),
    [
        ("vllm/vllm-openai-rocm:v0.14.0", "MI300X-192GB"),
        ("public.ecr.aws/q9t5s3a7/vllm-cpu-release-repo:v0.11.0", "cpu"),
        ("lmsysorg/sglang:v0.5.10-xeon", "cpu"),
        ("vllm/vllm-openai:v0.14.0", "H100-80GB"),
    ],
)
def test_an_image_tells_the_kind_of_accelerator_that_is_assumed(image: str, gpu: str) -> None:
    (spec,) = import_source(f"docker run {image} --model a/b").specs
    assert spec.data["hardware"]["gpu"] == gpu
    assert spec.comments["hardware.gpu"].startswith("assumed")


@pytest.mark.parametrize("image", ["vllm/vllm-tpu:v0.12.0", "quay.io/ascend/vllm-ascend:v0.9.1"])
def test_an_image_for_an_accelerator_that_is_not_modelled_has_no_budget(image: str) -> None:
    (spec,) = import_source(f"docker run {image} --model meta-llama/Llama-3.1-8B-Instruct").specs
    report = check_file(load_text(to_yaml(spec, "x")))
    assert report.verdict is Verdict.unknown
    assert [d.key for d in report.diagnostics if d.code == "SV103"] == ["targets.vllm.image"]


def test_a_secret_is_never_written() -> None:
    secret = "hf_" + "a" * 34
    text = f"docker run -e HF_TOKEN={secret} vllm/vllm-openai:v0.10.0 --model a/b --api-key {secret}"
    (spec,) = import_source(text).specs
    assert secret not in to_yaml(spec, "x")
    assert spec.data["env"]["HF_TOKEN"] == "${HF_TOKEN}"
    assert spec.data["server"]["api_key_env"] == "VLLM_API_KEY"


def test_defaults_that_differ_from_the_languages_are_written() -> None:
    assert one("sglang serve --model-path a/b")["server"] == {"host": "127.0.0.1", "port": 30000}
    assert one("text-generation-launcher --model-id a/b")["server"] == {"port": 3000}
    image = "ghcr.io/huggingface/text-generation-inference:3.3.5"
    assert one(f"docker run -e MAX_TOTAL_TOKENS=4096 {image} --model-id a/b") | {} == {
        "servespec": "v1",
        "name": "b",
        "model": {"id": "a/b"},
        "hardware": {"gpu": "H100-80GB", "count": 1},
        "limits": {"max_model_len": 4096},
        "server": {"port": 80},
        "targets": {"tgi": {"version": "3.3.5", "image": image}},
    }


def test_a_manifest_names_gpu_and_number() -> None:
    text = SOURCES["kubeai"].replace("l4:1", "h100:8")
    assert one(text)["hardware"] == {"gpu": "H100-80GB", "count": 8}


@pytest.mark.parametrize(
    "text", ["", "hello", "a: 1", "- 1", "FROM python:3.12", "[Service]\nExecStart=/bin/true"]
)
def test_a_text_without_a_server_is_refused_with_what_is_expected(text: str) -> None:
    with pytest.raises(SourceError, match="vllm serve MODEL"):
        import_source(text)


@pytest.mark.parametrize(
    "text",
    ["a: &a [x, x]\n" + "".join(f"b{n}: &b{n} [*{'a' if not n else f'b{n - 1}'}, *{'a' if not n else f'b{n - 1}'}]\n" for n in range(40)),
     "a: &a [*a]\nimage: vllm/vllm-openai:v0.10.0\n", "[" * 5000],
    ids=["aliases of aliases", "an alias in itself", "deep nesting"],
)  # fmt: skip
def test_a_yaml_bomb_is_refused_at_once(text: str) -> None:
    with pytest.raises(ServespecError):
        import_source(text)


def test_a_compose_reservation_tells_the_number_of_gpus() -> None:
    devices = (
        "deploy: {resources: {reservations: {devices: [{driver: nvidia, count: 4, capabilities: [gpu]}]}}}"
    )
    assert one(SOURCES["compose"] + f"    {devices}\n")["hardware"]["count"] == 4


PIECES = st.sampled_from(
    ["vllm serve", "docker run", " -m sglang.launch_server", "image:", "\n", "- ", "'", '"', "${", "$(", "`", "<", "\\",
     "[Service]\n", "FROM x\n", "args:", "{", "}", "--port", " 1", "# ", "EOF", "=(", ")", ";", "&&", "a/b", "|", "\x00"]
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(PIECES | st.text(max_size=4), max_size=25).map("".join))
def test_no_text_makes_import_fail_in_another_way_than_by_a_message(text: str) -> None:
    try:
        for spec in import_source(text).specs:
            to_yaml(spec, "x")
    except ServespecError:
        pass


def test_a_secret_behind_a_flag_that_the_version_lacks_becomes_a_reference_too() -> None:
    (spec,) = import_source(
        "vllm serve org/name --ssl-keyfile-password hunter2 --my-token=hunter3", None, "0.32.0"
    ).specs
    text = to_yaml(spec, "a source")
    assert "hunter" not in text
    assert spec.data["targets"]["vllm"]["args"]["ssl_keyfile_password"] == "${SSL_KEYFILE_PASSWORD}"


@pytest.mark.parametrize("backend", ["3.3.5-trtllm", "latest-trtllm", "3.3.5-llamacpp"])
def test_an_image_that_starts_another_program_has_its_flags_kept_unchecked_and_no_budget(
    backend: str, tmp_path: Path
) -> None:
    image = f"ghcr.io/huggingface/text-generation-inference:{backend}"
    command = (
        f"docker run {image} --model-id meta-llama/Llama-3.1-8B-Instruct --tokenizer-name t --n-gpu-layers 99"
    )
    (spec,) = import_source(command).specs
    assert spec.data["targets"]["tgi"]["args"] == {"tokenizer_name": "t", "n_gpu_layers": "99"}
    assert not any("refuse" in note for note in spec.notes)
    assert any("another program's" in note for note in spec.notes)
    loaded = load_text(to_yaml(spec, "x"), "x.yaml", tmp_path)
    report = check_file(loaded)
    told = [d.code for d in report.diagnostics if d.severity is not Severity.info]
    assert [code for code in told if code != "SV506"] == ["SV103"]  # SV506: `latest` moves
    assert report.verdict is Verdict.unknown


def test_an_image_of_the_engine_for_another_accelerator_starts_its_server() -> None:
    image = "ghcr.io/huggingface/text-generation-inference:3.3.5-rocm"
    (spec,) = import_source(f"docker run {image} --model-id a/b --tokenizer-name t").specs
    assert any("refuse" in note for note in spec.notes)


def test_a_flag_that_is_ambiguous_in_the_version_is_kept_for_check_to_speak_of() -> None:
    (spec,) = import_source("vllm serve a/b --device cpu", engine_version="0.32.0").specs
    assert spec.data["targets"]["vllm"]["args"] == {"device": "cpu"}
    (told,) = [d for d in check_file(load_text(to_yaml(spec, "x"))).diagnostics if d.code == "SV201"]
    assert "removed in 0.10.0" in told.message


def test_one_line_that_reads_as_yaml_is_a_command_all_the_same() -> None:
    assert one("vllm serve a/b --limit-mm-per-prompt {image: 2}", engine_version="0.25.1")["model"] == {
        "id": "a/b"
    }
