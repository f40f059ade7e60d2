#!/bin/sh
# Rendered by servespec 0.1.0 from llama-3.1-8b-h100.yaml for vllm 0.25.1, format shell.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:25f281a5bbb4827328fc9d640b42c5fa6725d77510083b3516a9719d39473c69
set -eu
export HF_TOKEN="${HF_TOKEN:?}"
export VLLM_API_KEY="${SERVER_API_KEY:?}"

exec vllm serve meta-llama/Llama-3.1-8B-Instruct \
  --host 0.0.0.0 \
  --port 8000 \
  --served-model-name llama-3.1-8b \
  --revision 0e9e39f249a16976918f6564b8830bc894c89659 \
  --max-model-len 131072 \
  --max-num-seqs 256 \
  --gpu-memory-utilization 0.9 \
  --enable-prefix-caching
