#!/bin/sh
# Rendered by servespec 0.1.0 from three-engines.yaml for tgi 3.3.7, format shell.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:28b4fd1e66a70c43c479431160d038190c6c55f3f9c8ec3b8e368efb3e9dfdf7
set -eu

exec text-generation-launcher \
  --model-id mistralai/Mistral-7B-Instruct-v0.3 \
  --hostname 0.0.0.0 \
  --port 8000 \
  --num-shard 1 \
  --max-total-tokens 8192 \
  --max-concurrent-requests 64
