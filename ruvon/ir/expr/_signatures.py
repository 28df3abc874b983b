"""How many and which arguments the functions of the language take.

Python would raise TypeError for a wrong call only when it is reached; a definition is told when it is checked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, final

from ruvon.ir.expr._language import words

__all__ = ["SIGNATURES", "Signature"]


@final
@dataclass(frozen=True, slots=True)
class Signature:
    """Positional arguments from `least` to `most` (None: any number), and the names that may be given as keywords."""

    least: int
    most: int | None
    keywords: frozenset[str] = frozenset()


def _signature(least: int, most: int | None, keywords: str = "") -> Signature:
    return Signature(least, most, frozenset(keywords.split()))


_ONE: Final = _signature(1, 1)
SIGNATURES: Final[Mapping[str, Signature]] = MappingProxyType(
    {
        **dict.fromkeys(words("abs all any ascii bin chr hex len oct ord repr reversed"), _ONE),
        **dict.fromkeys(words("bool frozenset list set tuple float"), _signature(0, 1)),
        **dict.fromkeys(words("new_id now random"), _signature(0, 0)),
        **dict.fromkeys(words("secret template"), _ONE),
        **dict.fromkeys(words("divmod isinstance"), _signature(2, 2)),
        "bytes": _signature(0, 2, "encoding errors source"),
        "dict": Signature(0, 1, frozenset({"*"})),
        "enumerate": _signature(1, 2, "start"),
        "format": _signature(1, 2),
        "int": _signature(0, 2, "base"),
        "max": _signature(1, None, "default key"),
        "min": _signature(1, None, "default key"),
        "pow": _signature(2, 3, "mod"),
        "range": _signature(1, 3),
        "round": _signature(1, 2, "ndigits"),
        "sorted": _signature(1, 1, "key reverse"),
        "str": _signature(0, 3, "encoding errors object"),
        "sum": _signature(1, 2, "start"),
        "zip": _signature(0, None, "strict"),
        "Decimal": _signature(0, 2, "context value"),
        "UUID": _signature(0, 1, "bytes bytes_le fields hex int version"),
        "date": _signature(0, 3, "day month year"),
        "datetime": _signature(0, 8, "day fold hour microsecond minute month second tzinfo year"),
        "time": _signature(0, 5, "fold hour microsecond minute second tzinfo"),
        "timedelta": _signature(0, 7, "days hours microseconds milliseconds minutes seconds weeks"),
        "timezone": _signature(1, 2, "name offset"),
    }
)
"""By function name; `*` among the keywords means that any name is taken."""
