"""Forms in which people publish servers, each with the same server in it."""

from __future__ import annotations

import pytest

from servespec.check import check_file
from servespec.diagnostics import Severity
from servespec.errors import SourceError
from servespec.importing import import_source, to_yaml
from servespec.spec.loader import load_text

FORMS = {
    "a manifest in a script": """#!/bin/bash
kubectl apply -f - <<EOF
apiVersion: apps/v1
kind: Deployment
spec:
  template:
    spec:
      containers:
        - name: llm
          image: vllm/vllm-openai:v0.10.0
          args: ["--model", "org/m", "--max-model-len", "8192"]
EOF
kubectl rollout status deployment/llm
""",
    "a manifest in a page": """# How we serve
It's short:
```yaml
kind: Pod
spec:
  containers:
    - {name: llm, image: "vllm/vllm-openai:v0.10.0", args: [--model=org/m, --max-model-len=8192]}
```
Then wait. Don't hurry.
""",
    "a unit that a script writes": """
sudo tee /etc/systemd/system/llm.service >/dev/null <<'UNIT'
[Unit]
After=network.target
[Service]
ExecStart=/srv/venv/bin/vllm serve org/m --max-model-len 8192
UNIT
systemctl enable --now llm
""",
    "a guide within YAML": """
title: a model
guide: |
  It's served like this:

  ```bash
  vllm serve org/m \\
    --max-model-len 8192
  ```
""",
    "apptainer": "apptainer exec --nv vllm.sif vllm serve org/m --max-model-len 8192",
    "uv": "uv run --with vllm vllm serve org/m --max-model-len 8192",
    "numactl and nohup": "nohup numactl -N 0 vllm serve org/m --max-model-len 8192 > log 2>&1 &",
    "slurm": "#SBATCH --gres=gpu:4\nsrun --ntasks=1 vllm serve org/m --max-model-len=8192",
    "environment before": "CUDA_VISIBLE_DEVICES=0,1 VLLM_USE_V1=1 vllm serve org/m --max-model-len 8192",
    "tmux": "tmux new-session -d -s llm 'vllm serve org/m --max-model-len 8192'",
    "screen": "screen -dmS llm bash -c 'vllm serve org/m --max-model-len 8192'",
    "supervisor": "[program:llm]\ncommand=vllm serve org/m --max-model-len 8192\nautorestart=true\n",
    "nerdctl": "sudo nerdctl run -d --gpus all --ipc=host docker.io/vllm/vllm-openai:v0.10.0 --model org/m --max-model-len 8192",
    "podman with CDI": "podman run --rm --device nvidia.com/gpu=all --security-opt=label=disable "
    "docker.io/vllm/vllm-openai:v0.10.0 --model org/m --max-model-len 8192",
    "docker with the model as a word": "docker run --runtime nvidia vllm/vllm-openai:v0.10.0 org/m --max-model-len 8192",
    "a default with quotes": "LEN=${LEN:-8192}\nM=${M:-'org/m'}\nvllm serve $M --max-model-len ${LEN}",
    "flags in a default": "vllm serve org/m ${FLAGS:---max-model-len 8192 --enforce-eager}",
    "leader and workers": """
apiVersion: leaderworkerset.x-k8s.io/v1
kind: LeaderWorkerSet
spec:
  leaderWorkerTemplate:
    size: 1
    leaderTemplate:
      spec:
        containers:
          - name: leader
            image: vllm/vllm-openai:v0.10.0
            command: [sh, -c, "ray start --head; vllm serve org/m --max-model-len 8192"]
    workerTemplate:
      spec:
        containers:
          - {name: worker, image: "vllm/vllm-openai:v0.10.0", command: [sh, -c, "ray start --block --address=$(LEADER)"]}
""",
    "a wrapper": """
kind: InferenceService
spec:
  predictor:
    model:
      modelFormat: {name: huggingface}
      args: [--model_name=served, --model_id=org/m, --backend=vllm, --max-model-len=8192]
""",
    "a worker image by variables of flags": """
services:
  llm:
    image: vllm/vllm-openai:v0.10.0
    environment: {EXTRA: "--max-model-len 8192"}
    entrypoint: [sh, -c, "vllm serve org/m $EXTRA"]
""",
    "a job with a script": """
resources: {accelerators: "H100:2"}
setup: pip install vllm==0.10.0
run: |
  set -e
  MODEL=org/m
  vllm serve "$MODEL" \\
    --max-model-len 8192
""",
    "words in Python": """
cmd = ["vllm", "serve", "org/m", "--max-model-len", "8192"]
subprocess.Popen(" ".join(cmd), shell=True)
""",
    "a quoted command in JSON": '{"image": "vllm/vllm-openai:v0.10.0", "args": ["--model", "org/m", "--max-model-len", "8192"]}',
    "a compose file with anchors": """
x-llm: &llm
  image: vllm/vllm-openai:v0.10.0
  ipc: host
services:
  llm:
    <<: *llm
    command: ["--model", "org/m", "--max-model-len", "8192"]
""",
    "an application of Argo CD": """
kind: Application
spec:
  source:
    helm:
      valuesObject:
        servingEngineSpec:
          modelSpec:
            - {name: m, repository: vllm/vllm-openai, tag: v0.10.0, modelURL: org/m, vllmConfig: {maxModelLen: 8192}}
""",
    "a config map": """
kind: ConfigMap
data:
  start.sh: |
    #!/bin/sh
    exec vllm serve org/m --max-model-len 8192
""",
}


@pytest.mark.parametrize("form", FORMS)
def test_the_same_server_is_found_in_every_form(form: str) -> None:
    (spec,) = import_source(FORMS[form]).specs
    text = to_yaml(spec, "a source")
    loaded = load_text(text)
    assert loaded.spec is not None, loaded.diagnostics
    assert spec.engine == "vllm"
    assert spec.data["model"]["id"] == "org/m"
    assert spec.data["limits"] == {"max_model_len": 8192}
    if "v0.10.0" in FORMS[form] or "==0.10.0" in FORMS[form]:
        assert spec.version == "0.10.0"
    assert not [note for note in spec.notes if "refuse" in note]
    refused = [d for d in check_file(loaded).diagnostics if d.code.startswith("SV20")]
    assert [d.message for d in refused if d.severity is Severity.error] == []


def test_the_line_is_that_of_the_whole_source() -> None:
    text = "# Serve\nFirst:\n```bash\nexport A=1\nvllm serve a/b\n```\nThen:\n```yaml\nimage: vllm/vllm-openai:v0.10.0\nargs: [--model, c/d]\n```\n"
    assert [spec.line for spec in import_source(text).specs] == [5, 9]


def test_a_model_that_a_manifest_describes_without_flags_is_a_server() -> None:
    text = """
kind: Model
spec:
  url: hf://org/m
  engine: VLLM
  resourceProfile: nvidia-gpu-l4:2
  adapters: [{name: sql, url: "hf://org/sql"}]
"""
    (spec,) = import_source(text).specs
    assert spec.data["model"] == {"id": "org/m", "adapters": {"modules": {"sql": "org/sql"}}}
    assert spec.data["hardware"] == {"gpu": "L4-24GB", "count": 2}


def test_what_a_wrapper_takes_for_itself_is_told() -> None:
    (spec,) = import_source(FORMS["a wrapper"]).specs
    assert "left out, a flag of KServe's server: --backend=vllm" in spec.notes
    assert spec.data["server"]["served_model_name"] == "served"


@pytest.mark.parametrize(
    "text",
    [
        "docker run vllm/vllm-openai:v0.10.0 --help",
        "text-generation-launcher --help",
        "docker run ghcr.io/huggingface/text-embeddings-inference:1.5 --model-id BAAI/bge-base --auto-truncate",
        "containers:\n- {image: envoyproxy/envoy:v1.33, args: [-c, /etc/envoy.yaml, --log-level, warn]}",
        "containers:\n- {image: 'vllm/vllm-openai:v0.10.0', command: [sleep, infinity], args: [--x]}",
        "containers:\n- {image: 'vllm/vllm-openai:v0.10.0', command: [vllm, bench, serve], args: [--model, a/b]}",
    ],
)
def test_what_starts_no_server_is_none(text: str) -> None:
    with pytest.raises(SourceError):
        import_source(text)


def test_flags_without_an_image_are_of_the_engine_that_takes_their_values() -> None:
    (spec,) = import_source("args: [--model-path, a/b, --reasoning-parser, qwen3, --tp, '2']").specs
    assert spec.engine == "sglang"
    (spec,) = import_source("args: [--trust-remote-code, --reasoning-parser, minimax_m2]").specs
    assert spec.engine == "vllm"
