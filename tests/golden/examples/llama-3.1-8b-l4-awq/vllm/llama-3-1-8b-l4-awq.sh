#!/bin/sh
# Rendered by servespec 0.1.0 from llama-3.1-8b-l4-awq.yaml for vllm 0.25.1, format shell.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:c30f1f30251b6113eba83dfec4501b54b44f793fe4573957f846d8afcb4c1f82
set -eu

exec vllm serve hugging-quants/Meta-Llama-3.1-8B-Instruct-AWQ-INT4 \
  --host 0.0.0.0 \
  --port 8000 \
  --max-model-len 16384 \
  --max-num-seqs 64 \
  --gpu-memory-utilization 0.9
