#!/bin/sh
# Rendered by servespec 0.1.0 from tiny-cpu.yaml for vllm 0.32.0, format shell.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:66523b3bc812a818c972e2206758feded4ca98550321d8372617e8c8638bc7d6
set -eu
export HF_HUB_OFFLINE=1
export VLLM_CPU_OMP_THREADS_BIND=nobind
export VLLM_ENABLE_V1_MULTIPROCESSING=0
export VLLM_CPU_KVCACHE_SPACE=1

exec vllm serve ./examples/tiny-llama \
  --host 127.0.0.1 \
  --port 8000 \
  --served-model-name tiny \
  --max-model-len 512 \
  --max-num-seqs 4 \
  --enforce-eager \
  --structured-outputs-config '{"backend":"xgrammar","disable_any_whitespace":true}'
