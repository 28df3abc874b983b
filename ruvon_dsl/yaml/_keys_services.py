"""The step types that ask something outside: HTTP requests, models and WebAssembly modules, each with its keys.

Every documented field is a key here; the names in the graph stand in `ruvon_dsl._link.CONFIG_TYPES`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ruvon_dsl.yaml._keys import Key, Kind, Table
from ruvon_dsl.yaml._keys_common import CALL_KEYS, COMMON_KEYS

__all__ = ["HTTP_CONFIG", "SERVICE_TABLES"]

_CALL: Final = Table("a call", "Keys of every call.", COMMON_KEYS).extended("a call", "Keys of every call.", CALL_KEYS)
_NO_ARGUMENTS: Final = ("inputs", "function")
_LIMIT: Final = Key("timeout_ms", Kind.MILLISECONDS, "Longest time of one attempt in milliseconds.")
_FALLBACK: Final = Key(
    "fallback_on_error",
    Kind.VALUE,
    "What to do when it fails: `fail` raises the error, `skip` gives nothing, `default` takes the default.",
    choices=("fail", "skip", "default"),
)
_DEFAULT: Final = Key("default", Kind.VALUE, "The result when it fails.", ("default_result",))
_DEFAULT_ROUTE: Final = Key("default_route", Kind.EXIT, "Where to go when no route is taken.")

_HTTP_FIELDS: Final = (
    Key("method", Kind.VALUE, "GET, POST, PUT, PATCH or DELETE (default GET)."),
    Key("url", Kind.VALUE, "Address; may hold `{{ expressions }}`."),
    Key("headers", Kind.VALUE, "Headers by name."),
    Key("query", Kind.VALUE, "Query parameters by name.", ("query_params", "params")),
    Key("json", Kind.VALUE, "Body, sent as JSON.", ("json_body", "data")),
    Key("body", Kind.VALUE, "Body, sent as it is; a mapping or list is sent as JSON."),
    Key("expect", Kind.VALUE, "Status codes of 400 and above that are no error.", ("expected_status",)),
    Key(
        "includes",
        Kind.VALUE,
        "Parts of the answer that the result has, by name: `status`, `headers`, `body` (as JSON where it is), `text`.",
        ("include",),
        choices=("status", "status_code", "headers", "body", "text"),
    ),
    Key(
        "max_bytes",
        Kind.VALUE,
        "Longest body of the answer in bytes; a longer one is an error (default 10,000,000).",
        ("max_response_bytes",),
    ),
)
_HTTP_OPTIONS: Final = tuple(key for key in CALL_KEYS if key.name in {"retry", "timeout", "output", "output_model"})
HTTP_CONFIG: Final = Table("a http_config", "The request.", (*_HTTP_FIELDS, *_HTTP_OPTIONS))
_HTTP: Final = _CALL.extended(
    "a HTTP step",
    "Send a HTTP request; the fields stand in the step or under `http_config`.",
    (*_HTTP_FIELDS, Key("http_config", Kind.TABLE, "The request, grouped.", table=HTTP_CONFIG)),
    without=_NO_ARGUMENTS,
)
_INFER: Final = _CALL.extended(
    "an AI_INFERENCE step",
    "Run a model on data.",
    (
        Key("model", Kind.VALUE, "The model's name, or `name@version`.", ("model_name",), required=True),
        Key("data", Kind.VALUE, "What the model gets.", ("input_data", "inputs")),
        Key(
            "input_source", Kind.CONDITION, "What the model gets: a state field, such as `readings`, or an expression."
        ),
        Key("model_version", Kind.VALUE, "The model's version, where its name has none."),
        Key("model_path", Kind.VALUE, "File of the model on the device."),
        Key(
            "runtime",
            Kind.VALUE,
            "What runs the model: `tflite`, `onnx` or `custom`.",
            choices=("tflite", "onnx", "custom"),
        ),
        Key("preprocessing", Kind.VALUE, "Name of the transformation of the data."),
        Key("preprocessing_params", Kind.VALUE, "Its parameters by name."),
        Key("postprocessing", Kind.VALUE, "Name of the transformation of the model's answer."),
        Key("postprocessing_params", Kind.VALUE, "Its parameters by name."),
        Key("threshold", Kind.VALUE, "Value of the answer from which its `positive` is true."),
        Key("threshold_key", Kind.VALUE, "Key of the answer that is compared with the threshold."),
        _FALLBACK,
        _DEFAULT,
        _DEFAULT_ROUTE,
        _LIMIT,
        Key("max_tokens", Kind.VALUE, "Longest answer of a language model, in tokens."),
        Key(
            "paging_strategy",
            Kind.VALUE,
            "How a model larger than the memory is loaded: `none`, `shard` or `layer`.",
            choices=("none", "shard", "layer"),
        ),
        Key("max_resident_shards", Kind.VALUE, "Shards that are kept in memory at once."),
        Key("prefetch_shards", Kind.VALUE, "Shards that are loaded ahead."),
        Key("shard_urls", Kind.VALUE, "Addresses of the shards, in order."),
        Key("shard_size_mb", Kind.VALUE, "Size of a shard in megabytes."),
        Key("logic_gate_threshold", Kind.VALUE, "Confidence, 0 to 1, from which the remaining shards are left out."),
    ),
    without=_NO_ARGUMENTS,
)
_WASM: Final = _CALL.extended(
    "a WASM step",
    "Run a WebAssembly module on data.",
    (
        Key(
            "module",
            Kind.VALUE,
            "The module: the SHA-256 of its bytes, `NAME#sha256=DIGITS`, or a name that the runtime pins.",
            ("wasm_hash", "wasm_module"),
            required=True,
        ),
        Key("data", Kind.VALUE, "What the module gets.", ("input_data", "inputs")),
        Key("state_mapping", Kind.VALUE, "State fields that the module gets, by the name it knows them by."),
        Key("entry", Kind.VALUE, "The exported function (default `execute`).", ("entrypoint",)),
        _FALLBACK,
        _DEFAULT,
        _DEFAULT_ROUTE,
        _LIMIT,
    ),
    without=_NO_ARGUMENTS,
)

SERVICE_TABLES: Final[Mapping[str, Table]] = MappingProxyType({"HTTP": _HTTP, "AI_INFERENCE": _INFER, "WASM": _WASM})
"""Tables of the types that ask something outside, by documented type name."""
