#!/bin/sh
# Rendered by servespec 0.1.0 from tiny-cpu.yaml for sglang 0.5.23, format shell.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:68de77ca14cda37697a43fad812c71d60267c1b0531debbf18f840c36255390e
set -eu
export HF_HUB_OFFLINE=1

exec python3 -m sglang.launch_server \
  --model-path ./examples/tiny-llama \
  --host 127.0.0.1 \
  --port 8000 \
  --served-model-name tiny \
  --device cpu \
  --context-length 512 \
  --max-running-requests 4 \
  --max-total-tokens 2097152 \
  --enable-metrics \
  --constrained-json-disable-any-whitespace
