"""Bodies that arrive compressed, decompressed under a limit: a kilobyte on the wire may be a gigabyte in memory."""

import zlib
from typing import Final, final

__all__ = ["ACCEPTED", "Body", "BodyError"]

ACCEPTED: Final = "gzip, deflate"
_GZIP: Final = 16 + zlib.MAX_WBITS
_RAW: Final = -zlib.MAX_WBITS


class BodyError(ValueError):
    """A body that cannot be read."""


@final
class Body:
    """Collects a body up to a limit.

    Args:
        encoding: the answer's `Content-Encoding`.
        limit: the longest body in bytes, as it comes and decompressed.

    Raises:
        BodyError: an encoding that was not asked for.
    """

    def __init__(self, encoding: str, limit: int) -> None:
        self.truncated = False
        """There is more than the limit; nothing after it was decompressed."""
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0
        self._received = 0
        name = encoding.strip().lower()
        if name not in {"", "identity", "gzip", "x-gzip", "deflate"}:
            raise BodyError(f"the body has the encoding {name[:40]!r}, which was not asked for")
        self._is_gzip = name.endswith("gzip")
        self._is_deflate = name == "deflate"
        self._inflater = zlib.decompressobj(_GZIP) if self._is_gzip else None

    @property
    def content(self) -> bytes:
        """What has come, at most `limit` bytes."""
        return b"".join(self._parts)[: self._limit]

    def feed(self, chunk: bytes) -> bool:
        """Take a piece as it came; False when nothing more is wanted.

        Raises:
            BodyError: it cannot be decompressed.
        """
        self._received += len(chunk)
        if self._is_deflate and self._inflater is None and chunk:
            # Half of all servers mean the raw form; the other one begins with 8 in the low half of its first byte.
            self._inflater = zlib.decompressobj(zlib.MAX_WBITS if chunk[0] & 0x0F == 8 else _RAW)
        if self._inflater is None:
            self._take(chunk)
        else:
            self._inflate(chunk)
        self.truncated = self.truncated or self._received > self._limit
        return not self.truncated

    def finish(self) -> None:
        """The body is complete.

        Raises:
            BodyError: what was compressed is not.
        """
        if self._inflater is not None and self._received and not self._inflater.eof and not self.truncated:
            raise BodyError("the compressed body ends too early")

    def _inflate(self, chunk: bytes) -> None:
        left, inflater = chunk, self._inflater
        while left and inflater is not None and not self.truncated:
            if inflater.eof:
                if not self._is_gzip:
                    return  # bytes behind the end of a deflate stream mean nothing
                inflater = self._inflater = zlib.decompressobj(_GZIP)
            try:
                self._take(inflater.decompress(left, self._limit + 1 - self._size))
            except zlib.error as exc:
                raise BodyError("the compressed body is damaged") from exc
            left = inflater.unused_data or inflater.unconsumed_tail

    def _take(self, data: bytes) -> None:
        self._parts.append(data)
        self._size += len(data)
        self.truncated = self._size > self._limit
