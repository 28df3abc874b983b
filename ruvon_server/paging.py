"""Pages of long lists: opaque cursors and their limits.

A cursor is the place of the last row of a page in the order of the list, so rows that are added meanwhile move nothing.
"""

import base64
import binascii
from typing import Annotated, Final

import orjson
from litestar.params import QueryParameter

from ruvon_server.problems import BadCursorError

__all__ = ["DEFAULT_LIMIT", "Cursor", "Limit", "decode_cursor", "encode_cursor"]

DEFAULT_LIMIT: Final = 50
MOST: Final = 500
_LONGEST: Final = 200
_BIGGEST: Final = 2**63

Limit = Annotated[int, QueryParameter(ge=1, le=MOST, description=f"At most so many, up to {MOST}.")]
Cursor = Annotated[
    str | None, QueryParameter(max_length=_LONGEST, description="The `next_cursor` of the page before this one.")
]


def encode_cursor(place: tuple[int, int]) -> str:
    """A cursor behind a place."""
    return base64.urlsafe_b64encode(orjson.dumps(list(place))).decode().rstrip("=")


def decode_cursor(text: str | None) -> tuple[int, int] | None:
    """The place that a cursor stands for; None without one.

    Raises:
        BadCursorError: it is none.
    """
    if text is None:
        return None
    try:
        found: object = orjson.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        raise BadCursorError from None
    match found:
        case [int() as first, int() as second] if 0 <= first < _BIGGEST and 0 <= second < _BIGGEST:
            return first, second
        case _:
            raise BadCursorError
