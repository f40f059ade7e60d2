#!/bin/sh
# Rendered by servespec 0.1.0 from llama-3.3-70b-fp8-4xh100.yaml for vllm 0.25.1, format shell.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:85fefcf9c38a8689c45fc1844b6203429c9c96bc9e86686e9abfa8304bab61b7
set -eu

exec vllm serve RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic \
  --host 0.0.0.0 \
  --port 8000 \
  --max-model-len 65536 \
  --max-num-seqs 128 \
  --tensor-parallel-size 4 \
  --kv-cache-dtype fp8
