#!/bin/sh
# Rendered by servespec 0.1.0 from tgi-two-shards.yaml for tgi 3.3.7, format shell.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:52424023638d217b0cd3d2db3addd96c3ea6e16662559ddb205ef923895a769b
set -eu
export HF_TOKEN="${HF_TOKEN:?}"

exec text-generation-launcher \
  --model-id meta-llama/Llama-3.1-8B-Instruct \
  --hostname 0.0.0.0 \
  --port 8000 \
  --num-shard 2 \
  --max-total-tokens 8192 \
  --max-input-tokens 7168 \
  --max-concurrent-requests 128 \
  --max-batch-prefill-tokens 7168
