"""Which trace and which span a workflow is, in whatever process: said by its row, or computed from its id.

A workflow's span is exported once, when it ends, by the process that ends it; until then other processes export spans
below it. So its ids must be known without being kept in memory: the span's id is a hash of the workflow's id, and the
trace is that of the `traceparent` in the instance's metadata or, where there is none, a hash of the workflow's id too. (The
id itself would not do as a trace id: samplers compare its low 64 bits with a bound, and those of a UUID are not evenly
spread.)
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from threading import local
from typing import Any, Final, final

__all__ = ["TRACEPARENT", "PresetIds", "TracePlace", "place_of", "span_id_of"]

TRACEPARENT: Final = "traceparent"
"""The key of the metadata, and of W3C Trace Context, whose format the value has."""
_FORM: Final = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_SAMPLED: Final = 1


@final
@dataclass(frozen=True, slots=True)
class TracePlace:
    """Where a workflow stands in a trace."""

    trace_id: int
    span_id: int
    """That of the workflow's own span."""
    parent_id: int | None
    """The span that it was started in; None: it is the root of its trace."""
    sampled: bool | None
    """Whether the trace is kept; None: the sampler has to say."""


def place_of(workflow_id: str, metadata: Mapping[str, object]) -> TracePlace:
    """Where a workflow stands; a `traceparent` that cannot be read counts as none."""
    own = span_id_of(workflow_id)
    given = metadata.get(TRACEPARENT)
    found = _FORM.fullmatch(given) if isinstance(given, str) else None
    if found is not None and int(found[1], 16) and int(found[2], 16):
        return TracePlace(int(found[1], 16), own, int(found[2], 16), bool(int(found[3], 16) & _SAMPLED))
    return TracePlace(_hash(f"trace/{workflow_id}", 16), own, None, None)


def span_id_of(workflow_id: str) -> int:
    """The id of a workflow's span."""
    return _hash(f"span/{workflow_id}", 8)


def _hash(text: str, size: int) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=size).digest()) or 1


@final
class PresetIds:
    """An id generator that gives the ids that were asked for, once, and else those of another generator."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._next = local()

    def preset(self, trace_id: int, span_id: int) -> None:
        """Give these to the next span of this thread."""
        self._next.ids = (trace_id, span_id)

    def forget(self) -> None:
        """Give nothing to the next span."""
        self._next.ids = None

    def generate_trace_id(self) -> int:
        """The id of a new trace."""
        ids = getattr(self._next, "ids", None)
        return int(ids[0] if ids else self._inner.generate_trace_id())

    def generate_span_id(self) -> int:
        """The id of a new span."""
        ids = getattr(self._next, "ids", None)
        return int(ids[1] if ids else self._inner.generate_span_id())

    def __getattr__(self, name: str) -> Any:
        """Whatever else newer generators say."""
        return getattr(self._inner, name)
