#!/bin/sh
# Rendered by servespec 0.1.0 from three-engines.yaml for sglang 0.5.17, format shell.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:c430a7bcbd6a3d1648e2b4c5268337f9c8c3e71a06c58f9fe39c83ceb29143fb
set -eu

exec python3 -m sglang.launch_server \
  --model-path mistralai/Mistral-7B-Instruct-v0.3 \
  --host 0.0.0.0 \
  --port 8000 \
  --context-length 8192 \
  --max-running-requests 64
