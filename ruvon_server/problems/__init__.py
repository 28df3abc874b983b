"""What the server answers when it cannot do what it was asked: problem details (RFC 9457) with codes of our own."""

from ruvon_server.models.problems import Problem, ProblemItem
from ruvon_server.problems._errors import (
    BadCursorError,
    BadFilterError,
    BadJsonError,
    DefinedByFilesError,
    IdempotencyKeyReusedError,
    NotAllowedError,
    NotAuthenticatedError,
    OtherTenantError,
    RequestRefusedError,
    UnsupportedMediaTypeError,
    VersionTakenError,
)
from ruvon_server.problems._handler import ProblemHandler
from ruvon_server.problems._kinds import KINDS, ProblemKind, kind_of
from ruvon_server.problems._specs import documented

__all__ = [
    "KINDS",
    "BadCursorError",
    "BadFilterError",
    "BadJsonError",
    "DefinedByFilesError",
    "IdempotencyKeyReusedError",
    "NotAllowedError",
    "NotAuthenticatedError",
    "OtherTenantError",
    "Problem",
    "ProblemHandler",
    "ProblemItem",
    "ProblemKind",
    "RequestRefusedError",
    "UnsupportedMediaTypeError",
    "VersionTakenError",
    "documented",
    "kind_of",
]
