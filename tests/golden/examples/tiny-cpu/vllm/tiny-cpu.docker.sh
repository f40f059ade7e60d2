#!/bin/sh
# Rendered by servespec 0.1.0 from tiny-cpu.yaml for vllm 0.32.0, format docker.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:a75f599c19da1f99defceac15e0a965809f5f503697dab9b44e5b3683109a47c
set -eu
engine=${CONTAINER_ENGINE:-docker}

exec "$engine" run "$@" \
  --rm \
  --name tiny-cpu \
  --publish 127.0.0.1:8000:8000 \
  --env HF_HUB_OFFLINE=1 \
  --env VLLM_CPU_OMP_THREADS_BIND=nobind \
  --env VLLM_ENABLE_V1_MULTIPROCESSING=0 \
  --env VLLM_CPU_KVCACHE_SPACE=1 \
  --mount type=volume,source=vllm-weights,target=/root/.cache/huggingface \
  --mount type=volume,source=vllm-cache,target=/root/.cache/vllm \
  --mount type=bind,source=./examples/tiny-llama,target=/models/tiny-llama,readonly \
  --shm-size 10737418240b \
  --cap-drop ALL \
  --cap-add SYS_NICE \
  --security-opt no-new-privileges:true \
  --stop-timeout 60 \
  --entrypoint vllm public.ecr.aws/q9t5s3a7/vllm-cpu-release-repo:v0.32.0 serve /models/tiny-llama \
  --host 0.0.0.0 \
  --port 8000 \
  --served-model-name tiny \
  --max-model-len 512 \
  --max-num-seqs 4 \
  --enforce-eager \
  --structured-outputs-config '{"backend":"xgrammar","disable_any_whitespace":true}'
