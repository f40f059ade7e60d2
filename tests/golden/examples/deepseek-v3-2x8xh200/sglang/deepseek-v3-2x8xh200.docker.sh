#!/bin/sh
# Rendered by servespec 0.1.0 from deepseek-v3-2x8xh200.yaml for sglang 0.5.17, format docker.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:e3e9c40f9b5930a6f397d2df3190523c8ada833f393026c2a7df2eaf7eb98229
set -eu
engine=${CONTAINER_ENGINE:-docker}
# Docker hands out GPUs by number; podman hands them out by the container device interface.
case $engine in
  *podman) set -- --device nvidia.com/gpu=all ;;
  *) set -- --gpus 8 ;;
esac

# Started on every node: NODE_RANK is 0 on the first, HEAD_ADDRESS the first node's address.
export NODE_RANK HEAD_ADDRESS
exec "$engine" run "$@" \
  --rm \
  --name deepseek-v3-2x8xh200 \
  --network host \
  --mount type=volume,source=sglang-weights,target=/root/.cache/huggingface \
  --shm-size 34359738368b \
  --cap-drop ALL \
  --security-opt no-new-privileges:true \
  --env NODE_RANK \
  --env HEAD_ADDRESS \
  --stop-timeout 60 \
  --entrypoint python3 docker.io/lmsysorg/sglang:v0.5.17 -m sglang.launch_server \
  --model-path deepseek-ai/DeepSeek-V3 \
  --host 0.0.0.0 \
  --port 8000 \
  --context-length 65536 \
  --max-running-requests 256 \
  --tp-size 8 \
  --pp-size 2 \
  --nnodes 2 \
  --node-rank "${NODE_RANK:?}" \
  --dist-init-addr "${HEAD_ADDRESS:?}":20000
