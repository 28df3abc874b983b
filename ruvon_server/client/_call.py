"""`Call`: one request as a value, and how calls are made from the models of their bodies."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Any, Concatenate, Final, Generic, Literal, ParamSpec, Protocol, TypeAlias, TypeVar, cast, final
from urllib.parse import quote
from uuid import UUID

from pydantic import BaseModel, TypeAdapter, ValidationError

from ruvon_server.client._errors import InvalidRequestError

__all__ = [
    "API",
    "Call",
    "Page",
    "WorkflowRef",
    "asking",
    "asking_named",
    "asking_one",
    "json_of",
    "nothing",
    "one",
    "part",
    "query",
    "text",
]

T = TypeVar("T")
P = ParamSpec("P")
F = TypeVar("F", bound=Callable[..., object])
ItemT_co = TypeVar("ItemT_co", covariant=True)
WorkflowRef: TypeAlias = UUID | str
"""The id of a workflow."""
API: Final = "/api/v1"


class Page(Protocol[ItemT_co]):
    """A part of a long list."""

    @property
    def items(self) -> Sequence[ItemT_co]:
        """What the page holds."""
        ...

    @property
    def next_cursor(self) -> str | None:
        """Where the next page begins; None on the last one."""
        ...


@final
@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request: what is sent, and how its answer is read."""

    name: str
    """The operation's id."""
    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    read: Callable[[bytes], T]
    """Makes the answer of its body."""
    params: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    repeatable: bool = False
    """Whether sending it twice does no more than sending it once."""
    keyed: bool = False
    """Whether it takes an idempotency key as a header, which makes it repeatable."""
    patience_s: float = 0.0
    """So many seconds it asks the server to wait before it answers."""
    answers: frozenset[int] = frozenset()
    """Statuses of errors that come with an answer like the others."""

    def at(self, cursor: str) -> "Call[T]":
        """The same for a later page."""
        kept = tuple(item for item in self.params if item[0] != "cursor")
        return replace(self, params=(*kept, ("cursor", cursor)))


def json_of(kind: type[T]) -> Callable[[bytes], T]:
    """Reads JSON as a model."""
    return TypeAdapter(kind).validate_json


def nothing(_: bytes) -> None:
    """There is nothing to read."""


def text(body: bytes) -> str:
    """Reads UTF-8 text."""
    return body.decode("utf-8")


def asking(
    name: str, path: str, body: Callable[P, BaseModel], read: Callable[[bytes], T], **more: Any
) -> Callable[P, Call[T]]:
    """A call that sends a model; its arguments are the model's fields.

    Args:
        name: the operation's id.
        path: where it is sent to, below `/api/v1`.
        body: the model.
        read: makes the answer.
        more: further fields of `Call`, and `fixed`: fields of the model that are always the same.
    """

    def make(*args: P.args, **kwargs: P.kwargs) -> Call[T]:
        return _posted(name, API + path, lambda: body(*args, **kwargs), read, more)

    return _named(make, name, body)


def asking_one(
    name: str, path: str, body: Callable[P, BaseModel], read: Callable[[bytes], T], **more: Any
) -> Callable[Concatenate[WorkflowRef, P], Call[T]]:
    """A call about one workflow that sends a model; its arguments are the workflow's id and the model's fields."""

    def make(workflow_id: WorkflowRef, /, *args: P.args, **kwargs: P.kwargs) -> Call[T]:
        return _posted(name, one(name, workflow_id, path), lambda: body(*args, **kwargs), read, more)

    return _named(make, name, body)


def asking_named(
    name: str, path: str, body: Callable[P, BaseModel], read: Callable[[bytes], T], **more: Any
) -> Callable[Concatenate[str, P], Call[T]]:
    """A call about one thing with a name that sends a model; `{}` in the path is that name."""

    def make(item: str, /, *args: P.args, **kwargs: P.kwargs) -> Call[T]:
        return _posted(name, API + path.format(part(name, item)), lambda: body(*args, **kwargs), read, more)

    return _named(make, name, body)


def _posted(
    name: str, path: str, make: Callable[[], BaseModel], read: Callable[[bytes], T], more: Mapping[str, Any]
) -> Call[T]:
    try:
        found = make().model_copy(update=more.get("fixed"))
        sent = found.model_dump_json(exclude_unset=True).encode()
    except ValidationError as exc:
        raise InvalidRequestError(name, [_sentence(dict(item)) for item in exc.errors()]) from None
    except ValueError as exc:
        raise InvalidRequestError(name, [f"a value cannot be sent as JSON: {exc}"]) from None
    keyed = bool(more.get("keyed")) and getattr(found, "idempotency_key", None) is None
    repeatable = bool(more.get("keyed") or more.get("repeatable"))
    patience_s: float = more.get("patience_s", 0.0) or getattr(found, "wait_s", 0.0)
    return Call(
        name,
        more.get("method", "POST"),
        path,
        read,
        body=sent,
        repeatable=repeatable,
        keyed=keyed,
        patience_s=patience_s,
    )


def _named(make: F, name: str, body: object) -> F:
    """Give a call the name of its operation and the words of its model."""
    function: Any = make
    function.__name__ = function.__qualname__ = name
    function.__doc__ = body.__doc__
    return make


def one(name: str, workflow_id: WorkflowRef, path: str = "") -> str:
    """The path of one workflow.

    Raises:
        InvalidRequestError: the id is none.
    """
    try:
        found = UUID(str(workflow_id))
    except ValueError:
        raise InvalidRequestError(name, [f"`{str(workflow_id)[:80]}` is no workflow id"]) from None
    return f"{API}/workflows/{found}{path}"


def part(name: str, value: str) -> str:
    """A name as a part of a path.

    Raises:
        InvalidRequestError: it is empty, or a path of its own.
    """
    if value in {"", ".", ".."}:
        raise InvalidRequestError(name, [f"`{value}` is no name"])
    return quote(value, safe="")


def query(given: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    """Parameters of an address; None is left out, and each item of a tuple is one."""
    found: list[tuple[str, str]] = []
    for key, value in given.items():
        values = cast("tuple[object, ...]", value) if isinstance(value, tuple) else (value,)
        found += [(key, _written(item)) for item in values if item is not None]
    return tuple(found)


def _written(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case datetime():
            return value.isoformat()
        case Enum():
            return str(value.value)
        case _:
            return str(value)


def _sentence(error: Mapping[str, Any]) -> str:
    place = ".".join(map(str, error["loc"]))
    said = str(error["msg"]).removeprefix("Value error, ")
    return f"{place}: {said}" if place else said
