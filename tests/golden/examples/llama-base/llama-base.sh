#!/bin/sh
# Rendered by servespec 0.1.0 from llama-base.yaml for vllm 0.25.1, format shell.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:d38fc3127c6a6fc9e0364c30684f839629f5c9beacd40a61c0a76adc35591b4c
set -eu

exec vllm serve meta-llama/Llama-3.1-8B-Instruct \
  --host 0.0.0.0 \
  --port 8000 \
  --max-model-len 8192 \
  --max-num-seqs 32
