#!/bin/sh
# Rendered by servespec 0.1.0 from llama-3.1-8b-l4-awq.yaml for sglang 0.5.17, format shell.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:adfcb001cb6c4ae0e8350ef61e0ca69547f8ba46cda2967ede8688e9aa1bea46
set -eu

exec python3 -m sglang.launch_server \
  --model-path hugging-quants/Meta-Llama-3.1-8B-Instruct-AWQ-INT4 \
  --host 0.0.0.0 \
  --port 8000 \
  --context-length 16384 \
  --max-running-requests 64 \
  --mem-fraction-static 0.722
