#!/bin/sh
# Rendered by servespec 0.1.0 from three-engines.yaml for vllm 0.25.1, format shell.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:b174198d97dcdf1d4648a1dc6cf919047dad53e40bd694d7788c72fe800648d2
set -eu

exec vllm serve mistralai/Mistral-7B-Instruct-v0.3 \
  --host 0.0.0.0 \
  --port 8000 \
  --max-model-len 8192 \
  --max-num-seqs 64
