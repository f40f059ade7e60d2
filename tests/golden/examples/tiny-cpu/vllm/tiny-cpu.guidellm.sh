#!/bin/sh
# Rendered by servespec 0.1.0 from tiny-cpu.yaml for vllm 0.32.0, format bench.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:2c5ebf92e07f2f586f17e8091bf273b3180fc543a942c5d1f1b2e071b805b493
# Needs the package guidellm (0.8).
set -eu
default=http://127.0.0.1:8000
model=tiny

exec guidellm run \
  --backend "kind=openai_http,target=${SERVER_URL:-$default},model=$model" \
  --profile kind=concurrent,streams=32 \
  --constraint kind=max_requests,count=100 \
  --data kind=synthetic_text,prompt_tokens=384,output_tokens=96 \
  --seed kind=static,value=0
