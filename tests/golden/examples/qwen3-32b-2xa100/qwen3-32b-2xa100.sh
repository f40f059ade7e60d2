#!/bin/sh
# Rendered by servespec 0.1.0 from qwen3-32b-2xa100.yaml for vllm 0.25.1, format shell.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:674c5cbd98725a297cba6736132df27ab5bebcd4c155fb88ce07c674fa4666bc
set -eu

exec vllm serve Qwen/Qwen3-32B \
  --host 0.0.0.0 \
  --port 8000 \
  --max-model-len 32768 \
  --max-num-seqs 64 \
  --gpu-memory-utilization 0.9 \
  --tensor-parallel-size 2
