#!/bin/sh
# Rendered by servespec 0.1.0 from three-engines.yaml for vllm 0.25.1, format bench.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:f77f33661b8326e7c19066c4969f91cf708b5e57b4dbd1528d90acad6cbd64e4
# Needs the package guidellm (0.8).
set -eu
default=http://localhost:8000
model=mistralai/Mistral-7B-Instruct-v0.3

exec guidellm run \
  --backend "kind=openai_http,target=${SERVER_URL:-$default},model=$model" \
  --profile kind=concurrent,streams=32 \
  --constraint kind=max_requests,count=100 \
  --data kind=synthetic_text,prompt_tokens=512,output_tokens=128 \
  --seed kind=static,value=0
