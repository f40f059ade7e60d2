#!/bin/sh
# Rendered by servespec 0.1.0 from deepseek-v3-2x8xh200.yaml for sglang 0.5.17, format bench.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:24525ea1076adba4d39c287cb94333f33dc5f6c9b012b5365761ab9bb1693235
# Needs the package guidellm (0.8).
set -eu
default=http://localhost:8000
model=deepseek-ai/DeepSeek-V3

exec guidellm run \
  --backend "kind=openai_http,target=${SERVER_URL:-$default},model=$model" \
  --profile kind=concurrent,streams=32 \
  --constraint kind=max_requests,count=100 \
  --data kind=synthetic_text,prompt_tokens=512,output_tokens=128 \
  --seed kind=static,value=0
