#!/bin/sh
# Rendered by servespec 0.1.0 from three-engines.yaml for vllm 0.25.1, format docker.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:d1233d948b51b8e96ed4866e0663eb89b6cd3b65bc60cb3fc50db07fe14d05ab
set -eu
engine=${CONTAINER_ENGINE:-docker}
# Docker hands out GPUs by number; podman hands them out by the container device interface.
case $engine in
  *podman) set -- --device nvidia.com/gpu=all ;;
  *) set -- --gpus 1 ;;
esac

exec "$engine" run "$@" \
  --rm \
  --name three-engines \
  --publish 8000:8000 \
  --mount type=volume,source=vllm-weights,target=/root/.cache/huggingface \
  --mount type=volume,source=vllm-cache,target=/root/.cache/vllm \
  --shm-size 10737418240b \
  --cap-drop ALL \
  --security-opt no-new-privileges:true \
  --stop-timeout 60 \
  --entrypoint vllm docker.io/vllm/vllm-openai:v0.25.1 serve mistralai/Mistral-7B-Instruct-v0.3 \
  --host 0.0.0.0 \
  --port 8000 \
  --max-model-len 8192 \
  --max-num-seqs 64
