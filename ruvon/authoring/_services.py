"""Steps that ask something outside: an HTTP server, a model, a WebAssembly module.

Their arguments are the fields of the step type, written into the graph as they stand; `with_` adds what every call takes.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final, Literal, TypeAlias, TypedDict, TypeVar, Unpack, final, overload

from pydantic import SecretStr

from ruvon.authoring._options import ServiceOptioned
from ruvon.authoring._retry import Retry
from ruvon.authoring._work import Data, HttpRequest, InferRequest, ModelInput, Pending, WasmRequest, Work
from ruvon.models import HttpResponse

__all__ = [
    "Fallback",
    "HttpFields",
    "HttpMethod",
    "HttpPart",
    "InferFields",
    "ModelRuntime",
    "Paging",
    "WasmFields",
    "http",
    "infer",
    "wasm",
]

M = TypeVar("M")

HttpMethod: TypeAlias = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
HttpPart: TypeAlias = Literal["status", "headers", "body", "text"]
"""A part of an answer; `body` is its text read as JSON where it is JSON."""
Fallback: TypeAlias = Literal["fail", "skip", "default"]
"""What a failure means: `fail` raises it, `skip` gives None, `default` takes the default."""
ModelRuntime: TypeAlias = Literal["tflite", "onnx", "custom"]
Paging: TypeAlias = Literal["none", "shard", "layer"]


class HttpFields(TypedDict, total=False):
    """What `http` takes by name."""

    query: Mapping[str, object]
    """Query parameters."""
    json: Data | None
    """The body, sent as JSON."""
    body: str | None
    """The body, sent as it is."""
    headers: Mapping[str, str | SecretStr]
    """Further headers; wrap credentials in `secret("NAME")`."""
    expect: tuple[int, ...]
    """Statuses of 400 and more that are no errors."""
    max_bytes: int | None
    """Longest body of the answer in bytes; a longer one is an `HttpError`. None: 10,000,000."""
    retry: Retry | None
    """When and how often a failed attempt is repeated."""
    timeout: timedelta | None
    """Longest time of one attempt; then `TimedOut` is raised."""


class _Common(TypedDict, total=False):
    retry: Retry | None
    """When and how often a failed attempt is repeated."""
    timeout: timedelta | None
    """Longest time of one attempt; then `TimedOut` is raised, or the default taken."""


class InferFields(_Common, total=False):
    """What `infer` takes by name, besides the class of its answer, the default and the fallback."""

    model_version: str
    """The model's version, where its name has none."""
    model_path: str
    """File of the model on the device."""
    runtime: ModelRuntime
    """What runs the model."""
    preprocessing: str
    """Name of the transformation of the data."""
    preprocessing_params: Mapping[str, object]
    """Its parameters."""
    postprocessing: str
    """Name of the transformation of the answer."""
    postprocessing_params: Mapping[str, object]
    """Its parameters."""
    threshold: float
    """Value of the answer from which its `positive` is true."""
    threshold_key: str
    """Key of the answer that is compared with the threshold."""
    max_tokens: int
    """Longest answer of a language model, in tokens."""
    paging_strategy: Paging
    """How a model larger than the memory is loaded."""
    max_resident_shards: int
    """Shards that are kept in memory at once."""
    prefetch_shards: int
    """Shards that are loaded ahead."""
    shard_urls: list[str]
    """Addresses of the shards, in order."""
    shard_size_mb: int
    """Size of a shard in megabytes."""
    logic_gate_threshold: float
    """Confidence, 0 to 1, from which the remaining shards are left out."""


class WasmFields(_Common, total=False):
    """What `wasm` takes by name, besides the class of its answer, the default and the fallback."""

    entry: str
    """The function to call (default `execute`)."""
    state_mapping: Mapping[str, str]
    """State fields that the module gets, by the name it knows them by."""


@final
class _Http(ServiceOptioned):
    """Ask a server."""

    @overload
    def __call__(
        self,
        method: HttpMethod,
        url: str,
        /,
        *,
        into: type[M],
        includes: tuple[HttpPart, ...] = ...,
        **fields: Unpack[HttpFields],
    ) -> Work[M]: ...
    @overload
    def __call__(
        self, method: HttpMethod, url: str, /, *, includes: tuple[HttpPart, ...], **fields: Unpack[HttpFields]
    ) -> Work[dict[str, object]]: ...
    @overload
    def __call__(self, method: HttpMethod, url: str, /, **fields: Unpack[HttpFields]) -> Work[HttpResponse]: ...
    def __call__(
        self,
        method: HttpMethod,
        url: str,
        /,
        *,
        into: Any = None,
        includes: tuple[HttpPart, ...] = (),
        **fields: Unpack[HttpFields],
    ) -> Work[Any]:
        """The request, to be awaited in a workflow body.

        Args:
            method: the HTTP method; unsafe ones carry an `Idempotency-Key` unless `headers` has one.
            url: the full address.
            into: the model that the body is validated as; without it the `HttpResponse` is given.
            includes: the parts of the answer that the result, a dict, has; `into` then validates that dict.
            fields: see `HttpFields`.

        Raises (at the `await`):
            HttpError: a status of 400 or more that `expect` does not name, or a body over `max_bytes`.
            Offline: a device without a network, at once.
        """
        return Pending[Any](
            HttpRequest(
                method=method,
                url=url,
                into=into,
                query=fields.get("query", {}),
                json=fields.get("json"),
                body=fields.get("body"),
                headers=fields.get("headers", {}),
                expect=fields.get("expect", ()),
                includes=includes,
                max_bytes=fields.get("max_bytes"),
                retry=fields.get("retry") or self.options.get("retry"),
                timeout=fields.get("timeout") or self.options.get("timeout"),
                options=self.options,
            )
        )


@final
class _Infer(ServiceOptioned):
    """Ask a model on this device or server."""

    @overload
    def __call__(
        self,
        model: str,
        data: ModelInput | None = None,
        /,
        *,
        into: type[M],
        fallback_on_error: Literal["skip"],
        **fields: Unpack[InferFields],
    ) -> Work[M | None]: ...
    @overload
    def __call__(
        self,
        model: str,
        data: ModelInput | None = None,
        /,
        *,
        into: type[M],
        default: M | None = None,
        fallback_on_error: Literal["fail", "default"] | None = None,
        **fields: Unpack[InferFields],
    ) -> Work[M]: ...
    @overload
    def __call__(
        self,
        model: str,
        data: ModelInput | None = None,
        /,
        *,
        default: Mapping[str, object] | None = None,
        fallback_on_error: Literal["fail", "default"] | None = None,
        **fields: Unpack[InferFields],
    ) -> Work[dict[str, object]]: ...
    def __call__(
        self,
        model: str,
        data: ModelInput | None = None,
        /,
        *,
        into: Any = None,
        default: Any = None,
        fallback_on_error: Fallback | None = None,
        **fields: Unpack[InferFields],
    ) -> Work[Any]:
        """The inference, to be awaited in a workflow body.

        Args:
            model: the model's name and version, `name@version`.
            data: its inputs by name, or the only one: a list of numbers, a text.
            into: the class that its answer is validated as; without it a dict is expected.
            default: what is taken when the inference fails.
            fallback_on_error: what a failure means; without it, the default where there is one, else the error.
            fields: see `InferFields`.
        """
        limits: Mapping[str, Any] = {"retry": fields.pop("retry", None), "timeout": fields.pop("timeout", None)}
        return Pending[Any](
            InferRequest(
                model=model,
                data=data,
                into=into,
                timeout=limits["timeout"] or self.options.get("timeout"),
                default=default,
                fallback=fallback_on_error,
                fields=dict(fields),
                retry=limits["retry"] or self.options.get("retry"),
                options=self.options,
            )
        )


@final
class _Wasm(ServiceOptioned):
    """Call a WebAssembly module in its sandbox."""

    @overload
    def __call__(
        self,
        module: str,
        data: Data | None = None,
        /,
        *,
        into: type[M],
        fallback_on_error: Literal["skip"],
        **fields: Unpack[WasmFields],
    ) -> Work[M | None]: ...
    @overload
    def __call__(
        self,
        module: str,
        data: Data | None = None,
        /,
        *,
        into: type[M],
        default: M | None = None,
        fallback_on_error: Literal["fail", "default"] | None = None,
        **fields: Unpack[WasmFields],
    ) -> Work[M]: ...
    @overload
    def __call__(
        self,
        module: str,
        data: Data | None = None,
        /,
        *,
        default: Mapping[str, object] | None = None,
        fallback_on_error: Literal["fail", "default"] | None = None,
        **fields: Unpack[WasmFields],
    ) -> Work[dict[str, object]]: ...
    def __call__(
        self,
        module: str,
        data: Data | None = None,
        /,
        *,
        into: Any = None,
        default: Any = None,
        fallback_on_error: Fallback | None = None,
        **fields: Unpack[WasmFields],
    ) -> Work[Any]:
        """The call, to be awaited in a workflow body.

        Args:
            module: the module's digest, `sha256:...`, or a name with it, `NAME#sha256=...`.
            data: its input; the fields of `state_mapping` stand beside it.
            into: the class that its answer is validated as; without it a dict is expected.
            default: what is taken when the call fails.
            fallback_on_error: what a failure means; without it, the default where there is one, else the error.
            fields: see `WasmFields`.
        """
        return Pending[Any](
            WasmRequest(
                module=module,
                data=data,
                into=into,
                entry=fields.get("entry", "execute"),
                state_mapping=fields.get("state_mapping", {}),
                default=default,
                fallback=fallback_on_error,
                timeout=fields.get("timeout") or self.options.get("timeout"),
                retry=fields.get("retry") or self.options.get("retry"),
                options=self.options,
            )
        )


http: Final = _Http()
"""Ask a server."""
infer: Final = _Infer()
"""Ask a model on this device or server."""
wasm: Final = _Wasm()
"""Call a WebAssembly module in its sandbox."""
