#!/bin/sh
# Rendered by servespec 0.1.0 from tiny-cpu.yaml for tgi 3.3.7, format shell.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:8a452be3fcc7ca5d721fcd7e0bb10f5f9b1a19858c5667e6deffa7812a2e3f24
set -eu
export HF_HUB_OFFLINE=1

exec text-generation-launcher \
  --model-id ./examples/tiny-llama \
  --hostname 127.0.0.1 \
  --port 8000 \
  --num-shard 1 \
  --max-total-tokens 512 \
  --max-concurrent-requests 4
