#!/bin/sh
# Rendered by servespec 0.1.0 from qwen2.5-72b-mi300x.yaml for vllm 0.25.1, format shell.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:fb7f57c5db28273a0adfb2a4fa3b9fc9e06b99041c86a7d4f97e553df834f233
set -eu

exec vllm serve Qwen/Qwen2.5-72B-Instruct \
  --host 0.0.0.0 \
  --port 8000 \
  --max-model-len 16384 \
  --max-num-seqs 64
