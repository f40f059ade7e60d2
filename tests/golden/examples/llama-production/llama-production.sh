#!/bin/sh
# Rendered by servespec 0.1.0 from llama-production.yaml for vllm 0.25.1, format shell.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:f81382165bb709208cde2e87649a925943f98e43d12db67367ed30eed6e8b251
set -eu
export VLLM_API_KEY="${SERVER_API_KEY:?}"

exec vllm serve meta-llama/Llama-3.1-8B-Instruct \
  --host 0.0.0.0 \
  --port 8000 \
  --max-model-len 32768 \
  --max-num-seqs 256
