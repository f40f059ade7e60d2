# Rendered by servespec 0.1.0 from three-engines.yaml for sglang 0.5.17, format client.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:e779482d1c47d8fd83386b3f7c1e4b9a3dda192ed56a73e88d14a0c42e149201
"""Ask the server in SGLang's own language: generate, choose, fork, hold to a pattern, run a batch."""

import os

import sglang as sgl

MAX_TOKENS = 128


@sgl.function
def complete(s, prompt):
    s += prompt + sgl.gen("answer", max_tokens=MAX_TOKENS, temperature=0)


@sgl.function
def choose(s, prompt):
    s += prompt + sgl.select("choice", choices=[" yes", " no"])


@sgl.function
def date(s):
    s += "Today is " + sgl.gen("date", max_tokens=16, regex=r"\d{4}-\d{2}-\d{2}")


@sgl.function
def branches(s, prompt):
    s += prompt
    forks = s.fork(2)  # both share the cache of the prompt
    for number, fork in enumerate(forks, 1):
        fork += f" {number}." + sgl.gen("text", max_tokens=MAX_TOKENS, temperature=0)
    s += forks[0]["text"] + forks[1]["text"]


def main() -> None:
    backend = sgl.RuntimeEndpoint(
        os.environ.get("SERVER_URL", 'http://localhost:8000'),
    )
    sgl.set_default_backend(backend)
    prompts = ['The capital of France is']
    print(complete.run(prompt=prompts[0])["answer"])
    print(choose.run(prompt=prompts[0])["choice"])
    print(date.run()["date"])
    print(branches.run(prompt=prompts[0]).text())
    for state in complete.run_batch([{"prompt": prompt} for prompt in prompts], num_threads=4):
        print(state["answer"])


if __name__ == "__main__":
    main()
