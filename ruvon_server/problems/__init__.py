"""What the server answers when it cannot do what it was asked: problem details (RFC 9457) with codes of our own."""

from ruvon_server.problems._errors import (
    BadCursorError,
    BadFilterError,
    BadJsonError,
    BusyElsewhereError,
    DefinedByFilesError,
    HumanTaskNotFoundError,
    IdempotencyKeyReusedError,
    LinkExpiredError,
    LinkNotFoundError,
    LinksAreOffError,
    LinkUsedError,
    NotAllowedError,
    NotAuthenticatedError,
    OtherTenantError,
    RequestRefusedError,
    ScheduleTakenError,
    TaskOfAnotherError,
    UnsupportedMediaTypeError,
    VersionTakenError,
)
from ruvon_server.problems._handler import ProblemHandler
from ruvon_server.problems._kinds import KINDS, ProblemKind, kind_of
from ruvon_server.problems._models import Problem, ProblemItem
from ruvon_server.problems._specs import documented

__all__ = [
    "KINDS",
    "BadCursorError",
    "BadFilterError",
    "BadJsonError",
    "BusyElsewhereError",
    "DefinedByFilesError",
    "HumanTaskNotFoundError",
    "IdempotencyKeyReusedError",
    "LinkExpiredError",
    "LinkNotFoundError",
    "LinkUsedError",
    "LinksAreOffError",
    "NotAllowedError",
    "NotAuthenticatedError",
    "OtherTenantError",
    "Problem",
    "ProblemHandler",
    "ProblemItem",
    "ProblemKind",
    "RequestRefusedError",
    "ScheduleTakenError",
    "TaskOfAnotherError",
    "UnsupportedMediaTypeError",
    "VersionTakenError",
    "documented",
    "kind_of",
]
