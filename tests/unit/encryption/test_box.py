"""Envelopes: what was changed by a byte, or moved, never opens; keys are read as they are written."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ruvon.implementations.encryption import Box, FileKeys, KeyRing, keys_from_environment, new_key
from ruvon.providers import (
    DamagedDataError,
    EncryptionError,
    EncryptionKeyFormatError,
    UnencryptedDataError,
    UnknownEncryptionKeyError,
)
from ruvon.providers.encryption import key_id_of, refuse_sealed

FIRST, SECOND = new_key("k1"), new_key("k2")
PLACE = ("table", "column", "scope", 7, None)


@given(st.binary(), st.text())
def test_what_was_closed_opens_in_its_place(data: bytes, text: str) -> None:
    """Any bytes, any text; nothing stays nothing."""
    box = Box(KeyRing([FIRST]))
    closed = box.seal(data, PLACE)
    assert box.open(closed, PLACE) == data
    assert (closed == b"") == (data == b"")
    assert box.open_text(box.seal_text(text, PLACE), PLACE) == text


@given(st.integers(0, 10**6), st.integers(1, 255))
def test_any_changed_byte_is_a_typed_error(place: int, change: int) -> None:
    """Mark, version, key id, nonce, ciphertext and tag: each byte is guarded."""
    box = Box(KeyRing([FIRST]))
    closed = bytearray(box.seal(b'{"told":"secret"}', PLACE))
    closed[place % len(closed)] ^= change
    with pytest.raises(EncryptionError):
        box.open(bytes(closed), PLACE)


@given(st.integers(0, 10**6), st.characters(max_codepoint=127))
def test_any_changed_character_is_a_typed_error(place: int, letter: str) -> None:
    """The same in a column of text."""
    box = Box(KeyRing([FIRST]))
    closed = list(box.seal_text("secret", PLACE))
    at = place % len(closed)
    if closed[at] == letter:
        return
    closed[at] = letter
    with pytest.raises(EncryptionError):
        box.open_text("".join(closed), PLACE)


@pytest.mark.parametrize("text", ["s", "se", "sec"])
@pytest.mark.parametrize("letter", string.ascii_letters + string.digits + "+/")
def test_a_last_character_that_means_the_same_is_a_typed_error(text: str, letter: str) -> None:
    """Base64 leaves bits of it out; an envelope has one form all the same."""
    box = Box(KeyRing([FIRST]))
    closed = box.seal_text(text, PLACE)
    body = closed.rstrip("=")
    if body[-1] == letter:
        return
    with pytest.raises(EncryptionError):
        box.open_text(body[:-1] + letter + closed[len(body) :], PLACE)


@given(st.data())
def test_a_cut_envelope_is_a_typed_error(data: st.DataObject) -> None:
    """From the mark on; less than that could be anything."""
    box = Box(KeyRing([FIRST]))
    closed = box.seal(b'{"told":"secret"}', PLACE)
    with pytest.raises(EncryptionError):
        box.open(closed[: data.draw(st.integers(2, len(closed) - 1))], PLACE)


@pytest.mark.parametrize("changed", range(5))
def test_every_part_of_a_place_counts(changed: int) -> None:
    """Another table, column, scope or row does not open it."""
    box = Box(KeyRing([FIRST]))
    other = tuple("other" if place == changed else part for place, part in enumerate(PLACE))
    with pytest.raises(DamagedDataError, match="changed or moved"):
        box.open(box.seal(b"1", PLACE), other)


def test_several_keys_read_and_the_first_writes() -> None:
    """What the old key closed opens; what is closed now names the new one."""
    old, both = Box(KeyRing([FIRST])), Box(KeyRing([SECOND, FIRST]))
    assert both.open(old.seal(b"1", PLACE), PLACE) == b"1"
    closed = both.seal(b"1", PLACE)
    assert key_id_of(closed) == "k2"
    with pytest.raises(UnknownEncryptionKeyError, match="`column` of table of scope is encrypted with the key `k2`"):
        old.open(closed, PLACE)
    with pytest.raises(UnknownEncryptionKeyError):
        refuse_sealed(closed, "it")
    refuse_sealed(b'{"plain":1}', "it")


def test_the_same_data_never_looks_the_same() -> None:
    """Nonces are fresh."""
    box = Box(KeyRing([FIRST]))
    assert len({box.seal(b"1", PLACE) for _ in range(100)}) == 100


def test_plain_data_is_given_back_unless_it_is_refused() -> None:
    """Rows from before encryption."""
    assert Box(KeyRing([FIRST])).open(b'{"a":1}', PLACE) == b'{"a":1}'
    with pytest.raises(UnencryptedDataError):
        Box(KeyRing([FIRST]), required=True).open(b'{"a":1}', PLACE)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "there is no key"),
        ("abc", "no colon"),
        ("k 1:AAAA", "the id of a key has"),
        ("k1:AA*A", "not Base64"),
        ("k1:AAAA", "has 3 bytes, and it takes 32"),
        (f"k1:{'A' * 43}=,k1:{'B' * 42}A=", "two different keys have the id `k1`"),
    ],
)
def test_a_key_that_cannot_be_used_is_refused_without_being_shown(text: str, words: str) -> None:
    """The sentence says what is wrong with it."""
    with pytest.raises(EncryptionKeyFormatError, match=words) as refused:
        KeyRing([item for item in text.split(",") if item])
    assert "AAAA" not in str(refused.value)


def test_keys_come_from_the_environment() -> None:
    """One variable with keys, or one that names a file; both at once are a mistake, and none means no encryption."""
    found = keys_from_environment({"RUVON_ENCRYPTION_KEY": f"{SECOND}, {FIRST}"})
    assert found is not None
    assert found.current_key_id() == "k2"
    assert found.key("k1") is not None
    assert keys_from_environment({}) is None
    with pytest.raises(EncryptionKeyFormatError, match="keep one of them"):
        keys_from_environment({"RUVON_ENCRYPTION_KEY": FIRST, "RUVON_ENCRYPTION_KEY_FILE": "x"})
    with pytest.raises(EncryptionKeyFormatError, match="encryption is required"):
        keys_from_environment({"RUVON_ENCRYPTION_REQUIRED": "1"})


def test_a_key_that_was_added_to_the_file_is_found(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A running process reads what others write with a new key, once its file has it."""
    file = tmp_path_factory.mktemp("keys") / "keys"
    file.write_text(f"# the first key writes\n{FIRST}\n")
    keys = FileKeys(file)
    box = Box(keys)
    closed = Box(KeyRing([SECOND])).seal(b"1", PLACE)
    with pytest.raises(UnknownEncryptionKeyError):
        box.open(closed, PLACE)
    file.write_text(f"{FIRST}\n{SECOND}\n")
    assert box.open(closed, PLACE) == b"1"
    with pytest.raises(EncryptionKeyFormatError, match="cannot be read"):
        FileKeys(file.with_name("none"))
