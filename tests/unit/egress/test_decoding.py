"""Bodies under a limit, compressed or not."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ruvon.implementations.egress._decoding import Body, BodyError

WAYS = {
    "": lambda data: data,
    "identity": lambda data: data,
    "gzip": gzip.compress,
    "x-gzip": lambda data: gzip.compress(data[:3], mtime=0) + gzip.compress(data[3:], mtime=0),
    "deflate": zlib.compress,
    "Deflate": lambda data: zlib.compress(data)[2:-4],
}


def read(encoding: str, sent: bytes, limit: int, size: int) -> Body:
    """The body of what is sent in pieces of a size."""
    body = Body(encoding, limit)
    for start in range(0, len(sent), size):
        if not body.feed(sent[start : start + size]):
            break
    body.finish()
    return body


@pytest.mark.parametrize("encoding", WAYS)
@given(data=st.binary(max_size=300), size=st.integers(1, 50), limit=st.integers(0, 2_000))
def test_any_body_is_read_or_cut(encoding: str, data: bytes, size: int, limit: int) -> None:
    """In whatever pieces it comes: the whole body where it fits in both forms, else its beginning."""
    sent = WAYS[encoding](data)
    found = read(encoding, sent, limit, size)

    fits = len(data) <= limit and len(sent) <= limit
    assert found.truncated is not fits
    assert found.content == data if fits else data.startswith(found.content)
    assert len(found.content) <= limit


def test_a_bomb_is_not_unpacked() -> None:
    """A megabyte that stands for a gigabyte costs no more than its limit."""
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(64)) + packer.flush()
    body = Body("gzip", 100_000)

    assert not body.feed(bomb)
    assert body.truncated
    assert body.content == bytes(100_000)
    assert sum(len(part) for part in body._parts) == 100_001


def test_endless_empty_members_end() -> None:
    """What unpacks to nothing counts as it comes."""
    body = Body("gzip", 1_000)
    empty = gzip.compress(b"", mtime=0)

    assert [body.feed(empty) for _ in range(60)].index(False) == 1_000 // len(empty)


@pytest.mark.parametrize(
    ("encoding", "sent"),
    [
        ("br", b""),
        ("gzip, gzip", b""),
        ("gzip", b"no gzip"),
        ("gzip", gzip.compress(b"abc" * 100, mtime=0)[:-3]),
        ("gzip", gzip.compress(b"abc", mtime=0)[:5]),
        ("gzip", gzip.compress(b"abc", mtime=0) + b"rubbish"),
        ("deflate", b"\xff\xff\xff"),
    ],
)
def test_what_cannot_be_read(encoding: str, sent: bytes) -> None:
    """Foreign encodings, damage and bodies that end too early are errors."""
    with pytest.raises(BodyError):
        read(encoding, sent, 1_000, 7)
