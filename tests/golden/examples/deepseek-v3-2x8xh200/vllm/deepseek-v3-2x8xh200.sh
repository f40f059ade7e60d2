#!/bin/sh
# Rendered by servespec 0.1.0 from deepseek-v3-2x8xh200.yaml for vllm 0.25.1, format shell.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:58e2ef94f54c9a86975f826addeacb362030078c0062b8273385f1a9674d37a2
set -eu

# Started on every node: NODE_RANK is 0 on the first, HEAD_ADDRESS the first node's address.
if [ "${NODE_RANK:?}" = 0 ]; then
  exec vllm serve deepseek-ai/DeepSeek-V3 \
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
  exec vllm serve deepseek-ai/DeepSeek-V3 \
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
