# Rendered by servespec 0.1.0 from llama-production.yaml for vllm 0.25.1, format client.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:740a1c791a28d39a05db0f985b936e67b9bf54fcd99e5d18628e9a0abd0b517e
"""Ask the server through the openai package: one answer, then one that streams."""

import os

from openai import OpenAI

client = OpenAI(
    base_url=os.environ.get("SERVER_URL", 'http://localhost:8000') + "/v1",
    api_key=os.environ['SERVER_API_KEY'],
)
MODEL = 'meta-llama/Llama-3.1-8B-Instruct'
MESSAGES = [{"role": "user", "content": 'The capital of France is'}]

answer = client.chat.completions.create(model=MODEL, messages=MESSAGES, max_tokens=128)
print(answer.choices[0].message.content)

for chunk in client.chat.completions.create(
    model=MODEL, messages=MESSAGES, max_tokens=128, stream=True
):
    if chunk.choices and chunk.choices[0].delta.content:
        print(chunk.choices[0].delta.content, end="", flush=True)
print()
