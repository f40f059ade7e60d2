"""Flags of vLLM's server that need or exclude one another."""

from __future__ import annotations

from collections.abc import Iterable

from servespec.diagnostics import Change, Fix, Severity
from servespec.rules.base import Finding, rule
from servespec.rules.subject import Subject


@rule(
    code="SV230",
    name="vllm-auto-tool-choice-without-parser",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.6",
    summary="enable_auto_tool_choice needs tool_call_parser.",
    explanation="To choose tools by itself the server must know how this model writes a tool call. vLLM "
    "refuses to start when no parser is named.",
    error_text="Error: --enable-auto-tool-choice requires --tool-call-parser",
    fix="Name the parser of the model's family in args.tool_call_parser (hermes, llama3_json, mistral …).",
    source="vLLM 0.32.0 vllm/entrypoints/launchers/cli_args.py validate_parsed_serve_args",
    triggers=("args.enable_auto_tool_choice",),
)
def auto_tool_choice_without_parser(subject: Subject) -> Iterable[Finding]:
    """enable_auto_tool_choice without tool_call_parser."""
    if subject.flag("enable_auto_tool_choice") and not subject.value("tool_call_parser"):
        yield Finding(
            message="enable_auto_tool_choice needs tool_call_parser: name the parser of the model's family, such as "
            "hermes or llama3_json",
            key=subject.key("enable_auto_tool_choice"),
        )


@rule(
    code="SV415",
    name="vllm-tool-parser-not-used",
    severity=Severity.warning,
    engine="vllm",
    versions=">=0.6",
    summary="tool_call_parser does nothing for requests that leave the choice of tools to the model.",
    explanation="A parser is named, but enable_auto_tool_choice is not set. Requests with tools and tool_choice auto, which "
    "is the default of most clients, are refused with HTTP 400.",
    error_text='"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set',
    fix="Add enable_auto_tool_choice: true.",
    source="vLLM 0.11.0, 0.32.0 vllm/entrypoints/openai chat completion serving",
    triggers=("args.tool_call_parser",),
)
def tool_parser_not_used(subject: Subject) -> Iterable[Finding]:
    """tool_call_parser without enable_auto_tool_choice."""
    if subject.value("tool_call_parser") and not subject.flag("enable_auto_tool_choice"):
        yield Finding(
            message="tool_call_parser is named without enable_auto_tool_choice: requests that leave the choice of tools to "
            "the model are refused",
            key=subject.key("tool_call_parser"),
            fix=Fix(
                "add enable_auto_tool_choice",
                changes=(Change("targets.vllm.args.enable_auto_tool_choice", True, safe=False),),
            ),
        )


@rule(
    code="SV231",
    name="vllm-log-outputs-without-requests",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.10.1",
    summary="enable_log_outputs needs enable_log_requests.",
    explanation="Outputs are logged beside their requests; vLLM refuses the one without the other.",
    error_text="Error: --enable-log-outputs requires --enable-log-requests",
    fix="Add enable_log_requests: true or leave enable_log_outputs out.",
    source="vLLM 0.32.0 vllm/entrypoints/launchers/cli_args.py validate_parsed_serve_args",
    triggers=("args.enable_log_outputs",),
)
def log_outputs_without_requests(subject: Subject) -> Iterable[Finding]:
    """enable_log_outputs without enable_log_requests."""
    if subject.flag("enable_log_outputs") and not subject.flag("enable_log_requests"):
        yield Finding(
            message="enable_log_outputs needs enable_log_requests: true",
            key=subject.key("enable_log_outputs"),
            fix=Fix(
                "log requests too",
                changes=(Change("targets.vllm.args.enable_log_requests", True, safe=False),),
            ),
        )


@rule(
    code="SV232",
    name="vllm-keep-alive-negative",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.30",
    summary="sse_keep_alive_interval is a number of seconds, 0 for none.",
    explanation="The interval of keep-alive comments in streamed answers cannot be negative.",
    error_text="Error: --sse-keep-alive-interval must be a non-negative integer (0 disables keep-alive "
    "comments).",
    fix="Write 0 to turn the comments off.",
    source="vLLM 0.32.0 vllm/entrypoints/launchers/cli_args.py validate_parsed_serve_args",
    triggers=("args.sse_keep_alive_interval",),
)
def keep_alive_negative(subject: Subject) -> Iterable[Finding]:
    """sse_keep_alive_interval < 0."""
    seconds = subject.integer("sse_keep_alive_interval")
    if seconds is not None and seconds < 0:
        key = subject.key("sse_keep_alive_interval")
        yield Finding(
            message=f"sse_keep_alive_interval is {seconds}; write 0 to turn keep-alive comments off",
            key=key,
            fix=Fix("turn the comments off", changes=(Change(key, 0),) if key else ()),
        )


@rule(
    code="SV233",
    name="vllm-request-metrics-without-stats",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.30",
    summary="enable_per_request_metrics excludes disable_log_stats.",
    explanation="Metrics of single requests are taken from the engine's statistics, which "
    "disable_log_stats turns off.",
    error_text="Error: --enable-per-request-metrics requires engine statistics logging; remove "
    "--disable-log-stats to enable per-request metrics.",
    fix="Remove disable_log_stats.",
    source="vLLM 0.32.0 vllm/entrypoints/launchers/cli_args.py validate_parsed_serve_args",
    triggers=("args.enable_per_request_metrics",),
)
def request_metrics_without_stats(subject: Subject) -> Iterable[Finding]:
    """enable_per_request_metrics with disable_log_stats."""
    if subject.flag("enable_per_request_metrics") and subject.flag("disable_log_stats"):
        key = subject.key("disable_log_stats")
        yield Finding(
            message="enable_per_request_metrics needs the engine's statistics: remove disable_log_stats",
            key=key,
            fix=Fix(
                "remove disable_log_stats", changes=(Change(key, remove=True, safe=False),) if key else ()
            ),
        )


@rule(
    code="SV234",
    name="vllm-whitespace-without-backend",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.11",
    summary="Structured outputs: disable_any_whitespace needs the backend xgrammar or guidance.",
    explanation="Only these two backends can forbid free whitespace in JSON; with backend auto vLLM "
    "refuses too, since it could choose another.",
    error_text="disable_any_whitespace is only supported for xgrammar and guidance backends.",
    fix='Add "backend": "xgrammar" to structured_outputs_config.',
    source="vLLM 0.32.0 vllm/config/structured_outputs.py",
    triggers=("args.structured_outputs_config",),
)
def whitespace_without_backend(subject: Subject) -> Iterable[Finding]:
    """disable_any_whitespace with another backend than xgrammar or guidance."""
    config = subject.mapping("structured_outputs_config")
    if config.get("disable_any_whitespace") is True and config.get("backend") not in ("xgrammar", "guidance"):
        yield Finding(
            message="disable_any_whitespace needs backend xgrammar or guidance in structured_outputs_config, found "
            f"{config.get('backend', 'auto')}",
            key=subject.key("structured_outputs_config"),
        )


@rule(
    code="SV235",
    name="vllm-additional-properties-without-guidance",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.11",
    summary="Structured outputs: disable_additional_properties needs the backend guidance.",
    explanation="Only guidance can forbid properties that a schema does not name.",
    error_text="disable_additional_properties is only supported for the guidance backend.",
    fix='Set "backend": "guidance" in structured_outputs_config.',
    source="vLLM 0.32.0 vllm/config/structured_outputs.py",
    triggers=("args.structured_outputs_config",),
)
def additional_properties_without_guidance(subject: Subject) -> Iterable[Finding]:
    """disable_additional_properties with another backend than guidance."""
    config = subject.mapping("structured_outputs_config")
    if config.get("disable_additional_properties") is True and config.get("backend") != "guidance":
        yield Finding(
            message="disable_additional_properties needs backend guidance in structured_outputs_config, found "
            f"{config.get('backend', 'auto')}",
            key=subject.key("structured_outputs_config"),
        )


@rule(
    code="SV236",
    name="vllm-kv-connector-without-role",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.8",
    summary="A KV connector needs a kv_role.",
    explanation="kv_transfer_config must say whether this server produces KV blocks, consumes them or does "
    "both.",
    error_text="Please specify kv_role when kv_connector is set, supported roles are ('kv_producer', "
    "'kv_both', 'kv_consumer')",
    fix='Add "kv_role": "kv_both" (or kv_producer, kv_consumer) to kv_transfer_config.',
    source="vLLM 0.32.0 vllm/config/kv_transfer.py",
    triggers=("args.kv_transfer_config",),
)
def kv_connector_without_role(subject: Subject) -> Iterable[Finding]:
    """kv_connector without kv_role, or with one that is none."""
    config = subject.mapping("kv_transfer_config")
    roles = ("kv_producer", "kv_consumer", "kv_both")
    role = config.get("kv_role")
    if role is None and config.get("kv_connector") is None:
        return
    if role not in roles:
        found = "no kv_role" if role is None else f"kv_role {role!r}"
        yield Finding(
            message=f"kv_transfer_config has {found}; one of {', '.join(roles)} is needed",
            key=subject.key("kv_transfer_config"),
        )


@rule(
    code="SV237",
    name="vllm-detailed-traces-without-endpoint",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.6",
    summary="collect_detailed_traces needs otlp_traces_endpoint.",
    explanation="Traces are only collected to be sent somewhere.",
    error_text="collect_detailed_traces requires `--otlp-traces-endpoint` to be set.",
    fix="Add otlp_traces_endpoint or leave collect_detailed_traces out.",
    source="vLLM 0.32.0 vllm/config/observability.py",
    triggers=("args.collect_detailed_traces",),
)
def detailed_traces_without_endpoint(subject: Subject) -> Iterable[Finding]:
    """collect_detailed_traces without an endpoint."""
    if subject.value("collect_detailed_traces") and not subject.value("otlp_traces_endpoint"):
        yield Finding(
            message="collect_detailed_traces needs otlp_traces_endpoint",
            key=subject.key("collect_detailed_traces"),
        )


@rule(
    code="SV238",
    name="vllm-image-limit-on-text-model",
    severity=Severity.error,
    engine="vllm",
    versions="<0.11",
    summary="limit_mm_per_prompt is refused for a model that takes text alone.",
    explanation="The flag limits images, videos and audio of a prompt. Older releases refuse it for a text "
    "model, and for a multimodal one whose architecture they do not know yet and run by a text-only "
    "fallback.",
    error_text="`limit_mm_per_prompt` is only supported for multimodal models.",
    fix="Remove limit_mm_per_prompt, or take a release that knows the architecture.",
    source="vLLM 0.9.1 vllm/config.py get_multimodal_config",
    triggers=("args.limit_mm_per_prompt",),
)
def image_limit_on_text_model(subject: Subject) -> Iterable[Finding]:
    """limit_mm_per_prompt on a text model."""
    if subject.value("limit_mm_per_prompt") and not subject.model.is_multimodal:
        key = subject.key("limit_mm_per_prompt")
        yield Finding(
            message=f"limit_mm_per_prompt is refused: {subject.model.architecture} takes text alone",
            key=key,
            fix=Fix("remove it", changes=(Change(key, remove=True),) if key else ()),
        )


@rule(
    code="SV229",
    name="vllm-overrides-no-object",
    severity=Severity.error,
    engine="vllm",
    versions=">=0.8",
    summary="hf_overrides is a JSON object.",
    explanation="It replaces keys of config.json. Text that is no JSON object is refused by the configuration class.",
    error_text="hf_overrides.dict[str,any] Input should be a valid dictionary",
    fix="Write a mapping: hf_overrides: {max_position_embeddings: 65536}.",
    source="vLLM 0.32.0 vllm/config/model.py ModelConfig.hf_overrides",
    triggers=("args.hf_overrides",),
)
def overrides_no_object(subject: Subject) -> Iterable[Finding]:
    """hf_overrides is text that is no JSON object."""
    value = subject.value("hf_overrides")
    if isinstance(value, str) and value.strip() != "{}" and not subject.mapping("hf_overrides"):
        yield Finding(
            message=f"hf_overrides is no JSON object: {value[:40]!r}", key=subject.key("hf_overrides")
        )
