#!/bin/sh
# Rendered by servespec 0.1.0 from llama-production.yaml for vllm 0.25.1, format docker.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:5b85c7b98f0ed7fd0a6e653b6f1ed81e87c17802f2eec3951d9c25bf5c125f09
set -eu
export VLLM_API_KEY="${SERVER_API_KEY:?}"
engine=${CONTAINER_ENGINE:-docker}
# Docker hands out GPUs by number; podman hands them out by the container device interface.
case $engine in
  *podman) set -- --device nvidia.com/gpu=all ;;
  *) set -- --gpus 1 ;;
esac

exec "$engine" run "$@" \
  --rm \
  --name llama-production \
  --publish 8000:8000 \
  --env VLLM_API_KEY \
  --mount type=volume,source=vllm-weights,target=/root/.cache/huggingface \
  --mount type=volume,source=vllm-cache,target=/root/.cache/vllm \
  --shm-size 10737418240b \
  --cap-drop ALL \
  --security-opt no-new-privileges:true \
  --stop-timeout 60 \
  --entrypoint vllm docker.io/vllm/vllm-openai:v0.25.1 serve meta-llama/Llama-3.1-8B-Instruct \
  --host 0.0.0.0 \
  --port 8000 \
  --max-model-len 32768 \
  --max-num-seqs 256
