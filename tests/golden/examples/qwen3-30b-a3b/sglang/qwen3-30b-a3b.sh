#!/bin/sh
# Rendered by servespec 0.1.0 from qwen3-30b-a3b.yaml for sglang 0.5.17, format shell.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:889e598c54129e4f98eac991645bc2761098a0d8f27cdcf13ed20864d47d799e
set -eu

exec python3 -m sglang.launch_server \
  --model-path Qwen/Qwen3-30B-A3B \
  --host 0.0.0.0 \
  --port 8000 \
  --context-length 32768 \
  --max-running-requests 256 \
  --reasoning-parser qwen3
