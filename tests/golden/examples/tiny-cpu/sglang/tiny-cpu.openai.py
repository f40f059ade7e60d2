# Rendered by servespec 0.1.0 from tiny-cpu.yaml for sglang 0.5.23, format client.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:9813a8bb3bf9edc58a6258b61a4ff082de541105eca83047af51185b97fd32bb
"""Ask the server through the openai package: one answer, then one that streams."""

import os

from openai import OpenAI

client = OpenAI(
    base_url=os.environ.get("SERVER_URL", 'http://127.0.0.1:8000') + "/v1",
    api_key="none",  # the server asks for no key; the package wants one
)
MODEL = 'tiny'
MESSAGES = [{"role": "user", "content": 'The quick brown fox'}]

answer = client.chat.completions.create(model=MODEL, messages=MESSAGES, max_tokens=128)
print(answer.choices[0].message.content)

for chunk in client.chat.completions.create(
    model=MODEL, messages=MESSAGES, max_tokens=128, stream=True
):
    if chunk.choices and chunk.choices[0].delta.content:
        print(chunk.choices[0].delta.content, end="", flush=True)
print()
