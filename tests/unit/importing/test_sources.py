"""What published files do that a plain command does not: each reduced from one that was read wrongly before."""

from __future__ import annotations

from typing import Any

import pytest

from servespec.errors import SourceError
from servespec.importing import import_source, to_yaml
from servespec.importing.assemble import ImportedSpec
from servespec.spec.loader import load_text


def specs(text: str, path: str | None = None) -> list[ImportedSpec]:
    found = list(import_source(text, path).specs)
    for spec in found:
        loaded = load_text(to_yaml(spec, "a source"))
        assert loaded.spec is not None, loaded.diagnostics
    return found


def args(spec: ImportedSpec) -> dict[str, Any]:
    return dict(spec.data["targets"][spec.engine].get("args", {}))


@pytest.mark.parametrize("path", ["a.yaml", None])
def test_a_manifest_that_is_no_yaml_is_refused_with_its_place_and_never_read_as_a_script(
    path: str | None,
) -> None:
    text = """kind: Deployment
spec:
  a:
      - b
    c: 1
  containers:
    - command: ["python3", "-m", "vllm.entrypoints.openai.api_server"]
      args: ["--model=org/m", "--tensor-parallel-size=2"]
"""
    with pytest.raises(SourceError, match=r"line 5, column \d+: this is no valid YAML"):
        import_source(text, path)


def test_a_tab_at_the_end_of_a_line_of_yaml_is_no_mistake() -> None:
    text = "containers:\n- image: vllm/vllm-openai:v0.10.0\t\n  args: [--model=org/m, --max-num-seqs=8]\n"
    (spec,) = specs(text, "a.yaml")
    assert spec.data["limits"] == {"max_concurrent_requests": 8}


def test_servers_in_yaml_have_the_lines_that_they_stand_on() -> None:
    text = """services:
  a:
    image: vllm/vllm-openai:v0.10.0
    command: [--model, org/a]
  b:
    image: vllm/vllm-openai:v0.10.0
    command: [--model, org/b]
run: |
  set -e
  vllm serve org/c
"""
    assert [(spec.data["model"]["id"], spec.line) for spec in specs(text)] == [
        ("org/a", 3),
        ("org/b", 6),
        ("org/c", 10),
    ]


def test_the_commands_of_replica_groups_are_servers_and_the_image_above_them_is_theirs() -> None:
    text = """
type: service
image: lmsysorg/sglang:v0.5.10
env: [HF_TOKEN, MODEL=org/m]
replicas:
  - count: 1
    commands: [smg launch --pd-disaggregation --port 8000]
  - count: 1..4
    commands:
      - python -m sglang.launch_server --model-path $MODEL --disaggregation-mode prefill
    resources: {gpu: "H200:2"}
  - commands: ["python -m sglang.launch_server --model-path $MODEL --disaggregation-mode decode"]
    resources: {gpu: H200}
"""
    prefill, decode = specs(text)
    assert prefill.version == decode.version == "0.5.10"
    assert prefill.data["model"]["id"] == "org/m"
    assert prefill.data["hardware"] == {"gpu": "H200-141GB", "count": 2}
    assert args(prefill) == {"disaggregation_mode": "prefill"}
    assert args(decode) == {"disaggregation_mode": "decode"}
    assert decode.data["env"]["HF_TOKEN"] == "${HF_TOKEN}"


def test_an_init_container_that_goes_on_running_is_a_server_and_one_that_ends_is_none() -> None:
    text = """
spec:
  initContainers:
    - {name: fetch, image: "vllm/vllm-openai:v0.10.0", command: [vllm, serve, org/never]}
    - name: engine
      restartPolicy: Always
      image: vllm/vllm-openai:v0.10.0
      args: [--model, org/m]
"""
    assert [spec.data["model"]["id"] for spec in specs(text)] == ["org/m"]


def test_compose_escapes_folded_continuations_and_defaults_are_those_that_the_container_sees() -> None:
    text = """
services:
  llm:
    image: vllm/vllm-openai:v0.10.0
    environment: {MODEL: "${MODEL:-org/m}", LEN: "${LEN:-8192}", HF_TOKEN: "${HF_TOKEN:-}"}
    entrypoint:
      /bin/bash -c "cd /x &&
      VLLM_USE_V1=1 \\
      vllm serve $${MODEL} \\
      --max-model-len $${LEN} \\
      --enforce-eager"
"""
    (spec,) = specs(text)
    assert spec.data["model"]["id"] == "org/m"
    assert spec.data["limits"] == {"max_model_len": 8192}
    assert spec.data["env"] == {
        "MODEL": "org/m",
        "LEN": "8192",
        "HF_TOKEN": "${HF_TOKEN}",
        "VLLM_USE_V1": "1",
    }
    assert args(spec) == {"enforce_eager": True}
    assert spec.notes == ()


def test_eval_is_a_command_of_its_words() -> None:
    (spec,) = specs('eval "exec vllm serve org/m --served-model-name "a" "b" --port 9000"')
    assert spec.data["server"] == {"port": 9000}
    assert args(spec) == {"served_model_name": ["a", "b"]}


def test_items_that_a_template_puts_in_are_left_out_and_told() -> None:
    text = """
containers:
  - image: vllm/vllm-openai:v0.10.0
    command: [vllm, serve]
    args:
      - org/m
      {{- if .Values.eager }}
      - --enforce-eager
      {{- end }}
      - --max-model-len
      - {{ .Values.maxModelLen | quote }}
    env:
      - {name: "{{ .Values.name }}", value: x}
      {{- toYaml .Values.env | nindent 6 }}
"""
    (spec,) = specs(text)
    assert args(spec) == {"enforce_eager": True}
    assert "left out, its value is not in the source: --max-model-len ${TEMPLATE}" in spec.notes
    assert "env" not in spec.data


def test_flags_in_lists_of_other_names_and_variables_of_flags_are_those_of_the_image_beside_them() -> None:
    text = """
image: {repository: ghcr.io/huggingface/text-generation-inference, tag: "3.0.0"}
MAX_INPUT_LENGTH: "2048"
MAX_TOTAL_TOKENS: "4096"
extraCmdArgs: ["--num-shard", "2"]
"""
    (spec,) = specs(text)
    assert spec.data["limits"] == {"max_model_len": 4096, "max_input_tokens": 2048}
    assert spec.data["parallel"] == {"tensor": 2}
    assert spec.notes == ()


def test_flags_beside_the_server_are_joined_to_its_own() -> None:
    text = """
kind: ConfigMap
data:
  templates.yaml: |
    - name: m
      spec:
        engine: {type: vllm, image: "vllm/vllm-openai:v0.6.3", serve_args: [--port=8000, --enable-prefix-caching]}
        model_source: {uri: org/m}
        accelerator: {type: L40S, count: 2}
        parallelism: {tp: 2, dp: 1}
        engine_args: {max_model_len: 8192, enable_prefix_caching: true}
"""
    (spec,) = specs(text)
    assert (spec.engine, spec.version, spec.data["model"]["id"]) == ("vllm", "0.6.3", "org/m")
    assert spec.data["hardware"] == {"gpu": "L40S-48GB", "count": 2}
    assert spec.data["limits"] == {"max_model_len": 8192}
    assert spec.data["parallel"] == {"tensor": 2}
    assert spec.data["kv_cache"] == {"prefix_caching": True}


def test_keys_of_a_values_file_that_are_no_flags_and_values_that_are_wrong_are_told() -> None:
    text = """
servingEngineSpec:
  modelSpec:
    - {repository: vllm/vllm-openai, tag: v0.10.0, modelURL: org/m, vllmConfig: {v1: 1, maxModelLen: lots, dtype: half}}
"""
    (spec,) = specs(text)
    assert "left out, no flag of vllm: v1: 1" in spec.notes
    assert any(note.startswith("left out, ") and "lots" in note for note in spec.notes)
    assert spec.data["model"]["dtype"] == "float16"


def test_sections_of_flags_deep_in_a_recipe_are_servers_of_their_own() -> None:
    text = """
model: {path: org/m, container: "vllm/vllm-openai:v0.21.0"}
resources: {gpu_type: b200, gpus_per_node: 8}
backend:
  type: vllm
  prefill_environment: {NCCL_CUMEM_ENABLE: "1"}
  vllm_config:
    prefill: {kv-cache-dtype: fp8, tensor-parallel-size: 1, max-model-len: 10240, max-num-seqs: 16, no-enable-prefix-caching: true}
    decode: {kv-cache-dtype: fp8, tensor-parallel-size: 8, max-model-len: 9216, max-num-seqs: 1024}
"""
    prefill, decode = specs(text)
    assert prefill.version == "0.21.0"
    assert prefill.data["hardware"] == {"gpu": "B200-180GB", "count": 8}
    assert prefill.data["env"] == {"NCCL_CUMEM_ENABLE": "1"}
    assert prefill.data["kv_cache"] == {"dtype": "fp8", "prefix_caching": False}
    assert decode.data["limits"] == {"max_model_len": 9216, "max_concurrent_requests": 1024}
    assert "env" not in decode.data


def test_a_fence_that_nothing_closes_does_not_turn_the_page_inside_out() -> None:
    text = """# Serve
```python
print("x")

## Next
```shell
vllm serve org/a --port 8001
```
Words.
```bash
vllm serve org/b  ```

More words, `vllm serve` among them.
~~~sh
vllm serve org/c
~~~
"""
    assert [(spec.data["model"]["id"], spec.line) for spec in specs(text, "a.md")] == [
        ("org/a", 7),
        ("org/b", 11),
        ("org/c", 15),
    ]


def test_code_blocks_of_restructured_text_are_read() -> None:
    text = """Serve
=====

.. code-block:: yaml
   :emphasize-lines: 2

   image: vllm/vllm-openai:v0.10.0
   args: [--model, org/a]

Or:

.. code:: bash

    vllm serve org/b

The end.
"""
    assert [(spec.data["model"]["id"], spec.line) for spec in specs(text, "a.rst")] == [
        ("org/a", 7),
        ("org/b", 14),
    ]


def test_the_cells_of_a_notebook_are_read_whole() -> None:
    text = """{"cells": [
 {"cell_type": "markdown", "source": ["Serve it:\\n", "```bash\\n", "vllm serve org/a \\\\\\n", "  --max-model-len 8192\\n", "```"]},
 {"cell_type": "code", "source": ["!vllm serve org/b --max-model-len 4096 &"]}
], "nbformat": 4}"""
    first, second = specs(text, "a.ipynb")
    assert (first.data["model"]["id"], first.data["limits"]) == ("org/a", {"max_model_len": 8192})
    assert (second.data["model"]["id"], second.data["limits"]) == ("org/b", {"max_model_len": 4096})


def test_a_python_program_is_read_with_its_constants() -> None:
    text = '''
"""Serves a model: vllm serve org/never."""
import os, subprocess
import modal

MODEL = "org/m"
GPUS = 2
FAST = True
LENGTH = int(os.environ.get("LENGTH", 4 * 1024))
image = modal.Image.debian_slim().uv_pip_install("vllm==0.10.0")


@app.function(image=image, gpu=f"H100:{GPUS}")
def serve():
    cmd = ["vllm", "serve", MODEL, "--port", str(8000), "--max-model-len", str(LENGTH)]
    cmd += ["--enforce-eager" if FAST else "--no-enforce-eager"]
    cmd.extend(["--tensor-parallel-size", str(GPUS)])
    if os.environ.get("CODE"):
        cmd.append("--trust-remote-code")
    subprocess.Popen(" ".join(cmd), shell=True)
'''
    (spec,) = specs(text, "serve.py")
    assert (spec.version, spec.data["model"]["id"]) == ("0.10.0", "org/m")
    assert spec.data["hardware"] == {"gpu": "H100-80GB", "count": 2}
    assert spec.data["limits"] == {"max_model_len": 4096}
    assert spec.data["parallel"] == {"tensor": 2}
    assert args(spec) == {"enforce_eager": True}
    assert spec.notes == ("left out, the program adds it on a condition: --trust-remote-code",)


def test_a_command_in_a_text_of_a_python_program_keeps_what_only_the_program_knows_as_variables() -> None:
    text = 'import os\nos.system(f"python3 -m sglang.launch_server "\n          f"--model-path {args.model} --tp 2")\n'
    (spec,) = specs(text)
    assert spec.data["model"]["id"] == "${model}"
    assert spec.data["parallel"] == {"tensor": 2}


def test_words_that_look_like_a_dotted_flag_are_no_traceback() -> None:
    (spec,) = specs("podman run vllm/vllm-openai:v0.10.0 --model org/m --... --...")
    assert spec.data["model"]["id"] == "org/m"


def test_a_number_behind_a_flag_of_another_release_is_no_model() -> None:
    text = "containers: [{image: 'vllm/vllm-openai:v0.6.3', args: [--data-parallel-size, '1']}]"
    (spec,) = specs(text)
    assert spec.data["model"]["id"] == "unknown"
    assert args(spec) == {"data_parallel_size": "1"}


def test_what_a_script_sets_on_a_condition_is_told_with_the_command_that_it_reaches() -> None:
    text = """#!/bin/bash
if [ "$EP" -gt 1 ]; then X="--enable-expert-parallel"; else X=""; fi
Y="$X --enforce-eager"
if [[ -n $CODE ]]; then
  ARGS+=(--trust-remote-code)
fi
vllm serve org/a $Y --port 8000
vllm serve org/b "${ARGS[@]}"
PORT=8001
vllm serve org/c --port $PORT
"""
    first, second, third = specs(text)
    assert args(first) == {"enforce_eager": True}
    assert first.notes == ("assumed: X is set on a condition in the script, its last value is taken",)
    assert second.data["model"] == {"id": "org/b", "trust_remote_code": True}
    assert second.notes == ("assumed: ARGS is set on a condition in the script, its last value is taken",)
    assert third.notes == ()


def test_flags_for_a_server_that_the_file_does_not_describe_are_read_only_where_nothing_else_is() -> None:
    fragment = "prefill:\n  vllm_args: [--max-num-seqs, '16', --enable-sleep-mode]\n"
    (spec,) = specs(fragment)
    assert spec.data["limits"] == {"max_concurrent_requests": 16}
    (spec,) = specs(fragment + "guide: |\n  vllm serve org/m\n")
    assert spec.data["model"] == {"id": "org/m"}


def test_an_anchor_that_is_set_twice_is_no_warning() -> None:
    (spec,) = specs("a: &x 1\nb: &x 2\nimage: vllm/vllm-openai:v0.10.0\nargs: [--model, org/m]\n")
    assert spec.data["model"] == {"id": "org/m"}


def test_a_source_with_more_servers_than_any_has_is_refused() -> None:
    with pytest.raises(SourceError, match=r"301 servers: no more than 300"):
        import_source("vllm serve org/m\n" * 301)


def test_an_engine_within_a_python_program_is_a_server_of_its_keywords() -> None:
    text = """
from vllm import LLM, SamplingParams
ARGUMENTS = {"max_model_len": 8192, "compilation_config": {"mode": 3}}
llm = LLM("org/m", tensor_parallel_size=2, seed=args.seed, worker_use_rays=True, **ARGUMENTS)
"""
    (spec,) = specs(text)
    assert spec.data["model"]["id"] == "org/m"
    assert spec.data["limits"] == {"max_model_len": 8192}
    assert spec.data["parallel"] == {"tensor": 2}
    assert args(spec) == {"compilation_config": {"mode": 3}}
    assert spec.notes == (
        "left out, its value is not in the source: seed",
        "left out, no flag of vllm: worker_use_rays: true",
    )


def test_a_service_that_extends_another_one_has_what_that_one_has() -> None:
    text = """
services:
  base:
    image: vllm/vllm-openai:${TAG:-v0.10.0}
    env_file: .env
    environment: [HF_TOKEN]
    command: --model org/a
  other: {extends: {service: base}, command: [--model, org/b]}
"""
    first, second = specs(text)
    for spec, model in ((first, "org/a"), (second, "org/b")):
        assert spec.data["model"] == {"id": model}
        assert spec.data["env"] == {"HF_TOKEN": "${HF_TOKEN}"}
        assert spec.data["targets"]["vllm"]["image"] == "vllm/vllm-openai:v0.10.0"
        assert spec.notes == ("left out, the variables of the file .env",)


def test_variables_of_config_maps_secrets_and_files_are_told_or_referred_to() -> None:
    manifest = """
containers:
  - image: vllm/vllm-openai:v0.10.0
    args: [--model, org/m]
    envFrom: [{configMapRef: {name: settings}}, {secretRef: {name: keys}}]
"""
    (spec,) = specs(manifest)
    assert spec.notes == (
        "left out, the variables of configMap settings",
        "left out, the variables of secret keys",
    )
    quadlet = """[Container]
Image=vllm/vllm-openai:v0.10.0
EnvironmentFile=-%h/vllm.env
Secret=hf,type=env,target=HF_TOKEN
Exec=--model org/m
"""
    (spec,) = specs(quadlet)
    assert spec.notes == ("left out, the variables of the file %h/vllm.env",)
    assert spec.data["env"] == {"HF_TOKEN": "${HF_TOKEN}"}


def test_what_playbooks_and_workflows_put_in_is_a_variable() -> None:
    (spec,) = specs(
        '- {image: "vllm/vllm-openai:v0.10.0", command: "--model {{ model }} --max-model-len 8192"}'
    )
    assert spec.data["limits"] == {"max_model_len": 8192}
    assert "model.id" in spec.comments
    (spec,) = specs(
        "env: {MODEL: org/m}\nsteps:\n- run: vllm serve ${{ env.MODEL }} --port ${{ inputs.port }}\n"
    )
    assert spec.data["model"] == {"id": "org/m"}
    assert spec.notes == ("left out, its value is not in the source: --port ${TEMPLATE}",)


def test_containers_of_terraform_are_read_with_variables_in_the_place_of_expressions() -> None:
    text = """
resource "kubernetes_deployment" "llm" {
  spec {
    container {
      image = "vllm/vllm-openai:v0.10.0"
      args  = ["--model", var.model, "--tensor-parallel-size", "2"]
    }
    container {
      image = "envoyproxy/envoy:v1"
      args  = ["--model", "never"]
    }
  }
}
"""
    (spec,) = specs(text, "main.tf")
    assert (spec.version, spec.line) == ("0.10.0", 5)
    assert spec.data["parallel"] == {"tensor": 2}
    assert "model.id" in spec.comments


def test_a_configuration_of_ray_serve_in_python_is_a_server() -> None:
    text = """
from ray.serve.llm import LLMConfig
config = LLMConfig(
    model_loading_config=dict(model_id="m", model_source="org/m"),
    accelerator_type="A10G",
    engine_kwargs=dict(tensor_parallel_size=2, max_model_len=8192),
)
"""
    (spec,) = specs(text, "serve.py")
    assert spec.data["model"] == {"id": "org/m"}
    assert spec.data["hardware"] == {"gpu": "A10G-24GB", "count": 2}
    assert spec.data["limits"] == {"max_model_len": 8192}


def test_models_of_a_chart_are_servers_and_the_image_above_them_is_none() -> None:
    text = """
global: {image: "lmsysorg/sglang:v0.5.5"}
models:
  a: {hfModelId: org/a, runtime: {gpus: 2, extraArgs: [--is-embedding, --attention-backend, triton]}}
  b: {hfModelId: org/b, runtime: {gpus: 1, extraArgs: [--context-length, "4096", --enable-multimodal]}}
"""
    first, second = specs(text)
    assert first.data["model"] == {"id": "org/a"}
    assert first.data["hardware"]["count"] == 2
    assert second.data["limits"] == {"max_model_len": 4096}
