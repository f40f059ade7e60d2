#!/bin/sh
# Rendered by servespec 0.1.0 from deepseek-v3-2x8xh200.yaml for vllm 0.25.1, format docker.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:94c0b1df17666b8f245ca06a8c64a04fc1bdc47fd46def401315a5ae8d4d35fd
set -eu
engine=${CONTAINER_ENGINE:-docker}
# Docker hands out GPUs by number; podman hands them out by the container device interface.
case $engine in
  *podman) set -- --device nvidia.com/gpu=all ;;
  *) set -- --gpus 8 ;;
esac

# Started on every node: NODE_RANK is 0 on the first, HEAD_ADDRESS the first node's address.
export NODE_RANK HEAD_ADDRESS
if [ "${NODE_RANK:?}" = 0 ]; then
  exec "$engine" run "$@" \
    --rm \
    --name deepseek-v3-2x8xh200 \
    --network host \
    --mount type=volume,source=vllm-weights,target=/root/.cache/huggingface \
    --mount type=volume,source=vllm-cache,target=/root/.cache/vllm \
    --shm-size 10737418240b \
    --cap-drop ALL \
    --security-opt no-new-privileges:true \
    --env NODE_RANK \
    --env HEAD_ADDRESS \
    --stop-timeout 60 \
    --entrypoint vllm docker.io/vllm/vllm-openai:v0.25.1 serve deepseek-ai/DeepSeek-V3 \
    --host 0.0.0.0 \
    --port 8000 \
    --max-model-len 65536 \
    --max-num-seqs 256 \
    --tensor-parallel-size 8 \
    --pipeline-parallel-size 2 \
    --nnodes 2 \
    --node-rank "${NODE_RANK:?}" \
    --master-addr "${HEAD_ADDRESS:?}" \
    --master-port 29501
else
  exec "$engine" run "$@" \
    --rm \
    --name deepseek-v3-2x8xh200 \
    --network host \
    --mount type=volume,source=vllm-weights,target=/root/.cache/huggingface \
    --mount type=volume,source=vllm-cache,target=/root/.cache/vllm \
    --shm-size 10737418240b \
    --cap-drop ALL \
    --security-opt no-new-privileges:true \
    --env NODE_RANK \
    --env HEAD_ADDRESS \
    --stop-timeout 60 \
    --entrypoint vllm docker.io/vllm/vllm-openai:v0.25.1 serve deepseek-ai/DeepSeek-V3 \
    --host 0.0.0.0 \
    --port 8000 \
    --max-model-len 65536 \
    --max-num-seqs 256 \
    --tensor-parallel-size 8 \
    --pipeline-parallel-size 2 \
    --nnodes 2 \
    --node-rank "${NODE_RANK:?}" \
    --master-addr "${HEAD_ADDRESS:?}" \
    --master-port 29501 \
    --headless
fi
