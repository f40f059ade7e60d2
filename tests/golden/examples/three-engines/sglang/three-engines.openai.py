# Rendered by servespec 0.1.0 from three-engines.yaml for sglang 0.5.17, format client.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:108462c33c84f46fffce27657125f3ccfde1994c4a90e7bcbcc57377df7d3d27
"""Ask the server through the openai package: one answer, then one that streams."""

import os

from openai import OpenAI

client = OpenAI(
    base_url=os.environ.get("SERVER_URL", 'http://localhost:8000') + "/v1",
    api_key="none",  # the server asks for no key; the package wants one
)
MODEL = 'mistralai/Mistral-7B-Instruct-v0.3'
MESSAGES = [{"role": "user", "content": 'The capital of France is'}]

answer = client.chat.completions.create(model=MODEL, messages=MESSAGES, max_tokens=128)
print(answer.choices[0].message.content)

for chunk in client.chat.completions.create(
    model=MODEL, messages=MESSAGES, max_tokens=128, stream=True
):
    if chunk.choices and chunk.choices[0].delta.content:
        print(chunk.choices[0].delta.content, end="", flush=True)
print()
