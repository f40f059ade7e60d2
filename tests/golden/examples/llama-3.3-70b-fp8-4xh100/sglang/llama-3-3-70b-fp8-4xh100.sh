#!/bin/sh
# Rendered by servespec 0.1.0 from llama-3.3-70b-fp8-4xh100.yaml for sglang 0.5.17, format shell.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:bd8abf737d7ac78b0f1bce645e873ef84f1e4f87c0b09e9e7f33770f23589213
set -eu

exec python3 -m sglang.launch_server \
  --model-path RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic \
  --host 0.0.0.0 \
  --port 8000 \
  --context-length 65536 \
  --max-running-requests 128 \
  --tp-size 4 \
  --kv-cache-dtype fp8_e4m3
