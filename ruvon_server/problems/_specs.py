"""The problems of a handler as its documentation has them."""

from typing import Self, final

from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example

from ruvon_server.models.problems import Problem
from ruvon_server.problems._handler import MEDIA_TYPE
from ruvon_server.problems._kinds import HTTP_KINDS, KINDS, ProblemKind

__all__ = ["ALWAYS", "documented"]

ALWAYS = ("not-authenticated", "not-allowed", "internal", "store-unavailable")
"""What every handler that asks for a permission may answer."""
_BY_CODE = {kind.code: kind for kind in KINDS}


@final
class _Shared(ResponseSpec):
    """Litestar copies handlers deeply for each application; what they document never changes, and is not copied."""

    def __deepcopy__(self, memo: dict[int, object], /) -> Self:
        return self


def documented(*codes: str) -> dict[int, ResponseSpec]:
    """Answers by status, with an example of each problem.

    Args:
        codes: kinds of problems, such as `workflow-not-found`.
    """
    kinds: dict[int, list[ProblemKind]] = {}
    for code in codes:
        kinds.setdefault(_BY_CODE[code].status, []).append(_BY_CODE[code])
    return {status: _spec(found) for status, found in sorted(kinds.items())}


def _spec(kinds: list[ProblemKind]) -> ResponseSpec:
    return _Shared(
        Problem,
        generate_examples=False,
        description="; ".join(kind.title for kind in kinds),
        media_type=MEDIA_TYPE,
        examples=[Example(id=kind.code, summary=kind.title, value=_example(kind)) for kind in kinds],
    )


def _example(kind: ProblemKind) -> dict[str, object]:
    instance = (
        "/api/v1/..." if kind.status < HTTP_KINDS[500].status else "urn:uuid:00000000-0000-4000-8000-000000000000"
    )
    return {
        "type": kind.type,
        "title": kind.title,
        "status": kind.status,
        "detail": "what is wrong with this request, and what to do",
        "instance": instance,
        "code": kind.code,
        "errors": [],
    }
