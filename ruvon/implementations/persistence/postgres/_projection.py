"""The documented JSONB column `state`: a picture of the fields for queries. The truth is the bytes of the snapshot.

JSONB reorders keys, rewrites numbers and refuses U+0000, so it can never be read back into a run.
"""

from typing import Any, cast

import orjson

__all__ = ["state_text"]


def state_text(snapshot: bytes) -> str | None:
    """The fields of a snapshot as JSON text that JSONB accepts; None where they are no JSON object."""
    try:
        found = orjson.loads(snapshot)
    except orjson.JSONDecodeError:
        return None
    fields = cast("dict[str, Any]", found).get("") if isinstance(found, dict) else None
    if not isinstance(fields, dict):
        return None
    text = orjson.dumps(fields).decode()
    return text.replace("\\u0000", "\\ufffd") if "\\u0000" in text else text
