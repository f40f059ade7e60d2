#!/bin/sh
# Rendered by servespec 0.1.0 from deepseek-v3-2x8xh200.yaml for vllm 0.25.1, format bench.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:439083df49f5860b4c7ff0648797c18a82249481d71c95974812130bd715c834
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
