#!/bin/sh
# Rendered by servespec 0.1.0 from deepseek-v3-2x8xh200.yaml for sglang 0.5.17, format shell.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:54f70f333707bf9a1049f5852ed2c21971d4a5c2826a760c6cb0a822e9fee7c0
set -eu

# Started on every node: NODE_RANK is 0 on the first, HEAD_ADDRESS the first node's address.
exec python3 -m sglang.launch_server \
  --model-path deepseek-ai/DeepSeek-V3 \
  --host 0.0.0.0 \
  --port 8000 \
  --context-length 65536 \
  --max-running-requests 256 \
  --tp-size 8 \
  --pp-size 2 \
  --nnodes 2 \
  --node-rank "${NODE_RANK:?}" \
  --dist-init-addr "${HEAD_ADDRESS:?}":20000
