#!/bin/sh
# Rendered by servespec 0.1.0 from qwen3-30b-a3b.yaml for vllm 0.25.1, format shell.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:87bf6b23c2fa54ff49c07f8d884ea83af8be0cc99940c7a7a8e64cb2d35188bb
set -eu

exec vllm serve Qwen/Qwen3-30B-A3B \
  --host 0.0.0.0 \
  --port 8000 \
  --max-model-len 32768 \
  --max-num-seqs 256 \
  --reasoning-parser qwen3
