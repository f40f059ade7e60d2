"""A test double of an engine's HTTP server: it prints what log it is told, then answers as the OpenAI API does.

    python openai_server.py PORT [--say LINE]... [--exit CODE] [--ignore-sigterm] [--child] [--slow SECONDS]
                                 [--broken NAME]

It has no model and no memory: it serves the tests of what starts, watches, probes and stops an engine. Whatever
is claimed about a real engine is tested with the real engine.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MAX_MODEL_LEN = 512
METRICS = """# HELP vllm:num_requests_running Number of requests.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0"} 0.0
# HELP vllm:cache_config_info Information of the LLMEngine CacheConfig
# TYPE vllm:cache_config_info gauge
vllm:cache_config_info{block_size="128",kv_cache_size_tokens="2097152",num_gpu_blocks="16384",\
kv_cache_max_concurrency="4096.0",kv_cache_memory_bytes="1073741824"} 1.0
"""


class Handler(BaseHTTPRequestHandler):
    """Answers of a server that is well, but for the one thing that ``broken`` names."""

    broken = ""
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: object) -> None:
        return

    def do_GET(self) -> None:
        answers: dict[str, Any] = {
            "/health": "",
            "/v1/models": {
                "object": "list",
                "data": [{"id": self.model_name(), "max_model_len": MAX_MODEL_LEN}],
            },
            "/metrics": METRICS if self.broken != "metrics" else "not { metrics",
        }
        self.answer(200 if self.path in answers else 404, answers.get(self.path, {"error": "no such path"}))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        budget = body.get("max_tokens") or 16
        prompt = body.get("prompt") or body["messages"][-1]["content"]
        if budget + len(prompt.split()) > MAX_MODEL_LEN and self.broken != "over-long":
            self.answer(400, {"error": {"message": f"max_tokens={budget} is too large", "code": 400}})
            return
        if self.broken == "chat template" and self.is_chat():
            message = "As of transformers v4.44, default chat template is no longer allowed"
            self.answer(400, {"error": {"message": message, "code": 400}})
            return
        text = "hello"
        if "response_format" in body and self.broken != "structured":
            text = json.dumps({"city": "Paris", "is_capital": True})
        if body.get("stream"):
            self.stream(text)
            return
        said = {"message": {"role": "assistant", "content": text}} if self.is_chat() else {"text": text}
        choice = {"index": 0, "finish_reason": "stop", **said}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        if self.broken == "completion":
            usage["completion_tokens"] = 0
        self.answer(200, {"id": "x", "model": self.model_name(), "choices": [choice], "usage": usage})

    def model_name(self) -> str:
        return "another" if self.broken == "model" else "tiny"

    def stream(self, text: str) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        for letter in text:
            self.part(letter, None)
        if self.broken != "streaming":
            self.part("", "stop")
            self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True

    def part(self, text: str, reason: str | None) -> None:
        said = {"delta": {"content": text}} if self.is_chat() else {"text": text}
        choice = {"index": 0, "finish_reason": reason, **said}
        self.wfile.write(f"data: {json.dumps({'choices': [choice]})}\n\n".encode())

    def is_chat(self) -> bool:
        return self.path == "/v1/chat/completions"

    def answer(self, status: int, content: Any) -> None:
        data = (content if isinstance(content, str) else json.dumps(content)).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--say", action="append", default=[])
    parser.add_argument("--exit", type=int)
    parser.add_argument("--ignore-sigterm", action="store_true")
    parser.add_argument("--child", action="store_true")
    parser.add_argument("--slow", type=float, default=0.0)
    parser.add_argument("--broken", default="")
    parser.add_argument("--print-variable", default="")
    arguments = parser.parse_args()
    if arguments.ignore_sigterm:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if arguments.child:
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    if arguments.print_variable:
        print("variable:", os.environ.get(arguments.print_variable), flush=True)
    for line in arguments.say:
        print(line, flush=True)
    if arguments.exit is not None:
        return int(arguments.exit)
    time.sleep(arguments.slow)
    Handler.broken = arguments.broken
    with ThreadingHTTPServer(("127.0.0.1", arguments.port), Handler) as server:
        print("Application startup complete.", flush=True)
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
