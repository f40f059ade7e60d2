# Rendered by servespec 0.1.0 from three-engines.yaml for tgi 3.3.7, format client.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:7565a407035980728bd86fb8460989533dc4b881c8cd9a0fbec79b53acc7cebb
"""Ask the server through huggingface_hub: one answer, one that streams, one held to a JSON schema."""

import json
import os

from huggingface_hub import InferenceClient

client = InferenceClient(
    base_url=os.environ.get("SERVER_URL", 'http://localhost:8000'),
)
PROMPT = 'The capital of France is'
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
