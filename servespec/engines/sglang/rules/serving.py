"""Flags of SGLang's server that need or exclude one another."""

from __future__ import annotations

from collections.abc import Iterable

from servespec.diagnostics import Change, Fix, Severity
from servespec.rules.base import Finding, rule
from servespec.rules.subject import Subject


@rule(
    code="SV282",
    name="sglang-colon-in-served-name",
    severity=Severity.error,
    engine="sglang",
    versions=">=0.5.5",
    summary="The served name may not contain a colon.",
    explanation="SGLang reads model:adapter in requests, so a colon in the name is refused.",
    error_text="served_model_name cannot contain a colon (':') character. The colon is reserved for the "
    "'model:adapter' syntax used in LoRA adapter specification.",
    fix="Write a dash.",
    source="SGLang 0.5.6 to 0.5.23 check_server_args",
    triggers=("server.served_model_name", "args.served_model_name"),
)
def colon_in_served_name(subject: Subject) -> Iterable[Finding]:
    """':' in served_model_name."""
    name = subject.text("served_model_name") or subject.spec.server.served_model_name
    if name and ":" in name:
        key = subject.key("served_model_name") or "server.served_model_name"
        yield Finding(
            message=f"served name {name!r} contains a colon, which SGLang keeps for model:adapter",
            key=key,
            fix=Fix("write a dash", changes=(Change(key, name.replace(":", "-"), safe=False),)),
        )


@rule(
    code="SV286",
    name="sglang-metrics-labels-without-header",
    severity=Severity.error,
    engine="sglang",
    versions=">=0.5.4",
    summary="Custom labels of metrics need the header that brings them.",
    explanation="tokenizer_metrics_allowed_custom_labels names labels; the header says where requests give "
    "them.",
    error_text="Please set --tokenizer-metrics-custom-labels-header when setting "
    "--tokenizer-metrics-allowed-custom-labels.",
    fix="Add tokenizer_metrics_custom_labels_header, or leave it at its default.",
    source="SGLang 0.5.4 to 0.5.23 check_server_args",
    triggers=("args.tokenizer_metrics_custom_labels_header",),
)
def metrics_labels_without_header(subject: Subject) -> Iterable[Finding]:
    """Labels and an empty header."""
    pair = subject.args.get("tokenizer_metrics_custom_labels_header")
    if pair and pair[1] == "" and subject.value("tokenizer_metrics_allowed_custom_labels"):
        yield Finding(
            message="tokenizer_metrics_allowed_custom_labels needs tokenizer_metrics_custom_labels_header",
            key=subject.key("tokenizer_metrics_custom_labels_header"),
        )


@rule(
    code="SV287",
    name="sglang-metrics-export-without-folder",
    severity=Severity.error,
    engine="sglang",
    versions=">=0.5.5",
    summary="export_metrics_to_file needs export_metrics_to_file_dir.",
    explanation="Metrics of requests are written to files of a folder that must be named.",
    error_text="--export-metrics-to-file-dir is required when --export-metrics-to-file is enabled",
    fix="Add export_metrics_to_file_dir.",
    source="SGLang 0.5.6 to 0.5.23 check_server_args",
    triggers=("args.export_metrics_to_file",),
)
def metrics_export_without_folder(subject: Subject) -> Iterable[Finding]:
    """export_metrics_to_file without a folder."""
    if subject.flag("export_metrics_to_file") and not subject.value("export_metrics_to_file_dir"):
        yield Finding(
            message="export_metrics_to_file needs export_metrics_to_file_dir",
            key=subject.key("export_metrics_to_file"),
        )


@rule(
    code="SV289",
    name="sglang-key-without-certificate",
    severity=Severity.error,
    engine="sglang",
    versions=">=0.5.10",
    summary="ssl_keyfile and ssl_certfile come together.",
    explanation="TLS needs both the key and the certificate.",
    error_text="--ssl-keyfile requires --ssl-certfile to be specified as well.",
    fix="Give both, or neither.",
    source="SGLang 0.5.10 to 0.5.23 srt/arg_groups/serving_hook.py",
    triggers=("args.ssl_keyfile", "args.ssl_certfile"),
)
def key_without_certificate(subject: Subject) -> Iterable[Finding]:
    """One of ssl_keyfile and ssl_certfile."""
    given = [name for name in ("ssl_keyfile", "ssl_certfile") if subject.value(name)]
    if len(given) == 1:
        missing = "ssl_certfile" if given[0] == "ssl_keyfile" else "ssl_keyfile"
        yield Finding(message=f"{given[0]} needs {missing}", key=subject.key(given[0]))


@rule(
    code="SV290",
    name="sglang-grpc-port-is-http-port",
    severity=Severity.error,
    engine="sglang",
    versions=">=0.5.13",
    summary="grpc_port must differ from the port.",
    explanation="Both servers would bind the same address.",
    error_text="--grpc-port (A) must differ from --port (B)",
    fix="Choose another grpc_port.",
    source="SGLang 0.5.13, 0.5.23 check_server_args",
    triggers=("args.grpc_port",),
)
def grpc_port_is_http_port(subject: Subject) -> Iterable[Finding]:
    """grpc_port == port."""
    port = subject.integer("port") or subject.spec.server.port
    if subject.integer("grpc_port") == port:
        yield Finding(message=f"grpc_port and port are both {port}", key=subject.key("grpc_port"))


@rule(
    code="SV294",
    name="sglang-encoder-and-language",
    severity=Severity.error,
    engine="sglang",
    versions=">=0.5.8",
    summary="encoder_only and language_only exclude one another.",
    explanation="A server of a disaggregated deployment is one part or the other; encoder_only excludes "
    "disaggregation_mode too.",
    error_text="Cannot set --encoder-only and --language-only together",
    fix="Keep one of the two.",
    source="SGLang 0.5.8 to 0.5.23 srt/arg_groups/pd_disaggregation_hook.py",
    triggers=("args.encoder_only",),
)
def encoder_and_language(subject: Subject) -> Iterable[Finding]:
    """encoder_only with language_only or disaggregation_mode."""
    if not subject.flag("encoder_only"):
        return
    if subject.flag("language_only"):
        yield Finding(
            message="encoder_only and language_only exclude one another", key=subject.key("encoder_only")
        )
    elif subject.text("disaggregation_mode") not in (None, "null"):
        yield Finding(
            message="encoder_only and disaggregation_mode exclude one another",
            key=subject.key("encoder_only"),
        )


@rule(
    code="SV296",
    name="sglang-positive-counts",
    severity=Severity.error,
    engine="sglang",
    versions=">=0.4.1",
    summary="Worker counts, GPU steps and conservativeness have lower bounds.",
    explanation="tokenizer_worker_num and gpu_id_step are at least 1, base_gpu_id and "
    "schedule_conservativeness at least 0.",
    error_text="Tokenizer worker num must >= 1",
    fix="Give a number within the bound.",
    source="SGLang 0.4.6 to 0.5.23 check_server_args",
    triggers=(
        "args.tokenizer_worker_num",
        "args.gpu_id_step",
        "args.base_gpu_id",
        "args.schedule_conservativeness",
    ),
)
def positive_counts(subject: Subject) -> Iterable[Finding]:
    """A count below its bound."""
    bounds = (
        ("tokenizer_worker_num", 1),
        ("gpu_id_step", 1),
        ("base_gpu_id", 0),
        ("schedule_conservativeness", 0),
    )
    for name, least in bounds:
        value = subject.number(name)
        if value is not None and value < least and subject.is_given(name):
            yield Finding(message=f"{name} is {value:g}; at least {least} is needed", key=subject.key(name))
