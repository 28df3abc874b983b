"""From an error to the answer: one handler for everything that a request can raise."""

import logging
from collections.abc import Iterable, Mapping
from enum import Enum
from http import HTTPStatus
from typing import Any, Final, Literal, cast, final, get_args, get_origin

from litestar import Request, Response
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException, NotFoundException, ValidationException, WebSocketException
from litestar.types import Scope

from ruvon.engine import InvalidInitialDataError, InvalidInputError
from ruvon.ir import DefinitionError, Diagnostic
from ruvon.ir.values import InvalidValueError
from ruvon.providers import IdSource
from ruvon_server.models.problems import Problem, ProblemItem
from ruvon_server.problems._errors import SecretsRefusedError, TooManyRequestsError
from ruvon_server.problems._kinds import HTTP_KINDS, INTERNAL, ProblemKind, kind_of

__all__ = ["MEDIA_TYPE", "ProblemHandler", "close_socket", "closing"]

_LOGGER: Final = logging.getLogger("ruvon.server")
MEDIA_TYPE: Final = "application/problem+json"
_FIRST_SERVER_ERROR: Final = 500
_INVALID: Final = 422
_REFUSED: Final = 4_000
_REASON: Final = 123
"""So many bytes a WebSocket may say when it is closed."""
_NOT_AUTHENTICATED: Final = 401
_LONGEST: Final = 4_000
"""So much of a sentence is said."""


@final
class ProblemHandler:
    """Answers with problem details, whatever was raised; what is the server's fault is logged under an id.

    Args:
        ids: where those ids come from.
    """

    def __init__(self, ids: IdSource) -> None:
        self._ids = ids

    def __call__(self, request: Request[Any, Any, Any], exc: Exception) -> Response[Any]:
        """The answer to a request that has raised an error."""
        kind = _kind(exc)
        instance = request.url.path
        items = list(_items(exc, request))
        detail = _detail(exc, kind, items)
        if kind.status >= _FIRST_SERVER_ERROR:
            instance = f"urn:uuid:{self._ids.new_id()}"
            self._log(request, exc, kind, instance)
        problem = Problem(
            type=kind.type,
            title=kind.title,
            status=kind.status,
            detail=detail[:_LONGEST],
            instance=instance,
            code=kind.code,
            errors=items,
        )
        headers = dict(exc.headers or {}) if isinstance(exc, HTTPException) else {}
        retry_after_s = exc.retry_after_s if isinstance(exc, TooManyRequestsError) else kind.retry_after_s
        if retry_after_s is not None:
            headers["Retry-After"] = str(retry_after_s)
        if kind.status == _NOT_AUTHENTICATED:
            headers["WWW-Authenticate"] = 'Bearer realm="ruvon"'
        return Response(
            problem.model_dump(mode="json"), media_type=MEDIA_TYPE, status_code=kind.status, headers=headers
        )

    def _log(self, request: Request[Any, Any, Any], exc: Exception, kind: ProblemKind, instance: str) -> None:
        what = (request.method, request.url.path, instance)
        if kind is INTERNAL:
            _LOGGER.error("%s %r failed (%s)", *what, exc_info=exc)
        else:
            _LOGGER.error("%s %r failed (%s): %s", *what, exc)


def closing(exc: Exception) -> WebSocketException:
    """How a WebSocket is closed that is refused: the status of the problem above 4000, its code and its sentence."""
    kind = _kind(exc)
    reason = f"{kind.code}: {_detail(exc, kind, list(_items(exc)))}".encode()[:_REASON].decode(errors="ignore")
    return WebSocketException(detail=reason, code=_REFUSED + kind.status)


async def close_socket(exc: Exception, scope: Scope) -> None:
    """Close a WebSocket whose parameters do not fit with its problem; the framework would call it a failure of the server.

    Raises:
        WebSocketException: it is closed.
    """
    if scope["type"] == ScopeType.WEBSOCKET and isinstance(exc, ValidationException):
        raise closing(exc) from None


def _kind(exc: Exception) -> ProblemKind:
    if isinstance(exc, ValidationException):
        return HTTP_KINDS[_INVALID]
    if isinstance(exc, HTTPException):
        known = HTTP_KINDS.get(exc.status_code)
        return known or ProblemKind(f"http-{exc.status_code}", exc.status_code, exc.detail)
    return kind_of(exc)


def _detail(exc: Exception, kind: ProblemKind, items: Iterable[ProblemItem]) -> str:
    """What is said; of an error that nobody foresaw nothing, because it may tell what is nobody's business."""
    if kind is INTERNAL:
        return "something failed that should not have; the log of the server has the reason under the id in `instance`"
    if kind.status in {502, 503} and not isinstance(exc, HTTPException):
        return f"{kind.title.lower()}; try again, and look into the log of the server under the id in `instance`"
    if isinstance(exc, ValidationException):
        found = "; ".join(_said(item) for item in items)
        return found or "the request does not fit what is documented"
    if isinstance(exc, DefinitionError):
        return f"{str(exc).partition(chr(10))[0].rstrip(':')}; `errors` has them all"
    if isinstance(exc, NotFoundException) and exc.detail == HTTPStatus.NOT_FOUND.phrase:
        return "no operation has this path, or an id in it is none; /docs has every operation where the server shows it"
    return exc.detail if isinstance(exc, HTTPException) else str(exc)


def _said(item: ProblemItem) -> str:
    return f"{item.place}: {item.detail}" if item.place else item.detail


def _items(exc: Exception, request: Request[Any, Any, Any] | None = None) -> Iterable[ProblemItem]:
    """Each thing that is wrong."""
    match exc:
        case ValidationException(extra=list() as found):
            return [_invalid(cast("Mapping[str, Any]", item), request) for item in found if isinstance(item, dict)]
        case InvalidInitialDataError(problems=problems) | InvalidInputError(problems=problems):
            return [ProblemItem(detail=text) for text in problems]
        case InvalidValueError(fields=fields):
            return [ProblemItem(detail=item.reason, place=item.path) for item in fields]
        case SecretsRefusedError(steps=steps):
            return [
                ProblemItem(detail=f'secret("{name}") is not named by RUVON_SECRET_NAMES', place=step)
                for name, step in sorted(steps.items())
            ]
        case DefinitionError(diagnostics=diagnostics):
            return [finding(item) for item in diagnostics]
        case _:
            return []


def _invalid(item: Mapping[str, Any], request: Request[Any, Any, Any] | None) -> ProblemItem:
    source, key = item.get("source", "body"), item.get("key")
    source = getattr(source, "value", source)
    place = ".".join(str(part) for part in (source, key) if part)
    detail = str(item.get("message", "")).removeprefix("Value error, ")
    choices = _choices(request, str(key)) if request is not None and detail.startswith("Invalid enum value") else []
    if choices:
        detail = f"{detail}; it is one of {', '.join(choices)}"
    return ProblemItem(detail=detail, place=place or None)


def _choices(request: Request[Any, Any, Any], name: str) -> list[str]:
    """The values that a parameter of the operation may have; none where it is no enumeration."""
    parameter = request.route_handler.parsed_fn_signature.parameters.get(name)
    pending: list[Any] = [parameter.annotation] if parameter is not None else []
    found: list[str] = []
    while pending:
        kind = pending.pop()
        if isinstance(kind, type) and issubclass(kind, Enum):
            found += (str(member.value) for member in kind)
        elif get_origin(kind) is Literal:
            found += map(str, get_args(kind))
        else:
            pending += get_args(kind)
    return found


def finding(item: Diagnostic) -> ProblemItem:
    """A finding about a definition."""
    place = str(item.span) if item.span is not None else None
    help_ = f"; {item.help}" if item.help else ""
    return ProblemItem(detail=f"{item.message}{help_}", place=place, code=item.code)
