# Rendered by servespec 0.1.0 from tiny-cpu.yaml for tgi 3.3.7, format client.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:5a4e113beb16f036b968f0f64e3e301bced15d6d44a4e78b32067e006690c386
"""Ask the server through huggingface_hub: one answer, one that streams, one held to a JSON schema."""

import json
import os

from huggingface_hub import InferenceClient

client = InferenceClient(
    base_url=os.environ.get("SERVER_URL", 'http://127.0.0.1:8000'),
)
PROMPT = 'The quick brown fox'
SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "string"}},
    "required": ["answer"],
}

print(client.text_generation(PROMPT, max_new_tokens=128))
for token in client.text_generation(PROMPT, max_new_tokens=128, stream=True):
    print(token, end="", flush=True)
print()
answer = client.text_generation(
    PROMPT, max_new_tokens=128, grammar={"type": "json", "value": SCHEMA}
)
print(json.loads(answer)["answer"])
