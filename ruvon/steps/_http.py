"""CALL of the type HTTP: ask a server, and make a result of its answer."""

from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from typing import Any, Final, cast, final
from urllib.parse import urlencode

import orjson
from pydantic import SecretStr

from ruvon.engine import Compiler, GraphFrame, Outcome, Run, Strand
from ruvon.engine._values import copy_value
from ruvon.ir._nodes import Call, Node
from ruvon.ir.expr import Environment
from ruvon.ir.values import to_plain
from ruvon.models import HttpResponse, Offline, TimedOut
from ruvon.models._http import DEFAULT_MAX_BYTES, judge_answer, shown_url, value_of_answer
from ruvon.providers.egress import EgressRefusedError, EgressRequest
from ruvon.steps._attempt import Attempt, Work
from ruvon.steps._call import CallOp, configure

__all__ = ["HttpOp"]

_SEEN: Final = "#secrets"
_CREDENTIALS: Final = frozenset({"authorization", "cookie", "proxy-authorization", "x-api-key"})
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_SHORTEST_SECRET: Final = 4
"""A shorter text is masked nowhere: it would be found in every answer."""


@final
class HttpOp(CallOp):
    """Sends one request with each attempt. A result that does not fit its type fails the step; nothing is sent again."""

    __slots__ = ("config", "typed")

    def __init__(self, node: Node, call: Call, compiler: Compiler) -> None:
        super().__init__(node, call, compiler)
        configure(self, node, call, compiler)
        self.config = compiler.exprs(call.config)
        self.typed = call.into is not None
        self.takes_context = True

    def enter(self, run: Run, strand: Strand, frame: GraphFrame) -> Outcome:
        """Evaluate the fields; a compensation is given what was asked."""
        outcome = super().enter(run, strand, frame)
        if isinstance(outcome, Attempt):
            seen: list[str] = []
            env = _noting_secrets(run.env(strand), seen)
            fields = {name: copy_value(value(env)) for name, value in self.config}
            outcome.work.fields = {**fields, _SEEN: seen}
            outcome.work.arguments = {
                "method": _method(fields),
                "url": fields.get("url"),
                "json": fields.get("json"),
            }
        return outcome

    def call(self, run: Run, work: Work) -> Any:
        """Ask the server."""
        return self._ask(run, work)

    async def _ask(self, run: Run, work: Work) -> Any:
        fields = work.fields
        method, url = _method(fields), str(fields["url"])
        egress = run.services.egress
        if egress is None:
            raise EgressRefusedError(f"{method} {shown_url(url)}", "this engine was given no egress provider")
        if not egress.is_online():
            raise Offline(shown_url(url))
        key = work.context.idempotency_key if work.context is not None and method not in _SAFE else None
        try:
            found = await egress.send(self._request(method, url, fields, key))
        except TimeoutError:
            raise TimedOut(self.title, self._timeout()) from None
        answer = HttpResponse(found.status, found.headers, found.text)
        judge_answer(
            answer,
            method,
            url,
            expect=cast("Collection[int]", fields.get("expect") or ()),
            max_bytes=fields.get("max_bytes"),
            truncated=found.truncated,
            now_us=run.now_us(),
            secrets=[text for text in _secrets(fields) if len(text) >= _SHORTEST_SECRET],
        )
        includes = cast("Collection[str]", fields.get("includes") or ())
        return value_of_answer(answer, method, url, includes=includes, typed=self.typed)

    def _request(self, method: str, url: str, fields: Mapping[str, Any], key: str | None) -> EgressRequest:
        headers = {name: _text(value) for name, value in _headers(fields).items()}
        given = {name.lower() for name in headers}
        content, kind = _content(fields)
        if kind is not None and "content-type" not in given:
            headers["Content-Type"] = kind
        if key is not None and "idempotency-key" not in given:
            headers["Idempotency-Key"] = key
        limit = fields.get("max_bytes")
        return EgressRequest(
            method=method,
            url=_with_query(url, fields.get("query")),
            headers=headers,
            content=content,
            max_bytes=DEFAULT_MAX_BYTES if limit is None else limit,
            timeout=self._timeout(),
        )

    def _timeout(self) -> timedelta | None:
        return timedelta(microseconds=self.timeout_us) if self.timeout_us is not None else None


def _method(fields: Mapping[str, Any]) -> str:
    return str(fields.get("method") or "GET").upper()


def _headers(fields: Mapping[str, Any]) -> Mapping[str, object]:
    return cast("Mapping[str, object]", fields.get("headers") or {})


def _text(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def _content(fields: Mapping[str, Any]) -> tuple[bytes | None, str | None]:
    """The body and its type."""
    body = fields.get("body")
    if isinstance(body, bytes):
        return body, None
    if isinstance(body, str | SecretStr):
        return _text(body).encode(), None
    value = fields["json"] if fields.get("json") is not None else body
    if value is None:
        return None, None
    return orjson.dumps(to_plain(value, reveal_secrets=True)), "application/json"


def _with_query(url: str, query: object) -> str:
    """The address with more parameters; None leaves one out, a list repeats it."""
    if not query:
        return url
    plain = cast("Mapping[str, object]", to_plain(query, reveal_secrets=True))
    pairs = [(name, text) for name, value in plain.items() for text in _query_texts(value)]
    if not pairs:
        return url
    start, mark, fragment = url.partition("#")
    return f"{start}{'&' if '?' in start else '?'}{urlencode(pairs)}{mark}{fragment}"


def _query_texts(value: object) -> Iterator[str]:
    match value:
        case None:
            return
        case list():
            for item in cast("list[object]", value):
                yield from _query_texts(item)
        case bool():
            yield "true" if value else "false"
        case dict():
            yield orjson.dumps(value).decode()
        case _:
            yield str(value)


def _noting_secrets(env: Environment, seen: list[str]) -> Environment:
    """The same environment; the texts that `secret` gives are kept, so that errors can leave them out."""

    def secret(name: str) -> object:
        value = env.secrets(name)
        seen.append(_text(value))
        return value

    return Environment(
        env.names,
        budget=env.budget,
        recorder=env.recorder,
        secrets=secret,
        templates=env.templates,
        resolve=env.resolve,
    )


def _secrets(fields: Mapping[str, Any]) -> Iterator[str]:
    """The secret texts of a request: what `secret` gave, `SecretStr` values, and credentials in its headers."""
    yield from fields[_SEEN]
    for name, value in _headers(fields).items():
        if name.lower() in _CREDENTIALS:
            yield from (_text(value), _text(value).rpartition(" ")[2])
    yield from _secret_values(fields)


def _secret_values(value: object) -> Iterator[str]:
    match value:
        case SecretStr():
            yield value.get_secret_value()
        case dict():
            for item in cast("dict[object, object]", value).values():
                yield from _secret_values(item)
        case list() | tuple():
            for item in cast("tuple[object, ...]", value):
                yield from _secret_values(item)
        case _:
            return
