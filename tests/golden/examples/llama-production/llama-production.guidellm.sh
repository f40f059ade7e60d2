#!/bin/sh
# Rendered by servespec 0.1.0 from llama-production.yaml for vllm 0.25.1, format bench.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:c6ae6cb62d33cc06f02cccf6e7404e7eb5fe352e046d4dd05ce98f8cf59c3689
# Needs the package guidellm (0.8).
set -eu
default=http://localhost:8000
model=meta-llama/Llama-3.1-8B-Instruct

exec guidellm run \
  --backend "kind=openai_http,target=${SERVER_URL:-$default},model=$model,api_key=""${SERVER_API_KEY:?}" \
  --profile kind=concurrent,streams=32 \
  --constraint kind=max_requests,count=100 \
  --data kind=synthetic_text,prompt_tokens=512,output_tokens=128 \
  --seed kind=static,value=0
