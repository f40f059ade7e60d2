#!/bin/sh
# Rendered by servespec 0.1.0 from batch-summaries.servespec.yaml for vllm 0.25.1, format shell.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:dc104651b2e57be122c61f4ddf93cae75978278a6729a31cd9bdf28a0cd5b322
set -eu
export HF_TOKEN="${HF_TOKEN:?}"

exec vllm serve Qwen/Qwen3-8B \
  --host 0.0.0.0 \
  --port 8000 \
  --revision b968826d9c46dd6066d109eabc6255188de91218 \
  --max-model-len 8192 \
  --max-num-seqs 16
