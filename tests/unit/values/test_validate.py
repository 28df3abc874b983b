"""Validation of entering values, masks and plain forms."""

import datetime as dt
import typing
import uuid
from decimal import Decimal
from typing import Annotated, Any, Required

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, SecretBytes, SecretStr

from ruvon.ir.values import (
    InvalidValueError,
    NotStorableError,
    copy_value,
    holds_secret,
    mask,
    same,
    secret_names,
    to_plain,
    validate,
)
from tests.support.cases import CASES
from tests.support.values import Color, Gift, Item, Money, Point, storable


class Paid(typing.TypedDict, total=False):
    """Made with `typing.TypedDict`, which pydantic refuses before Python 3.12."""

    payment_id: Required[str]
    amount: Annotated[int, Field(gt=0)]


class Card(BaseModel):
    number: SecretStr
    pin: int = Field(default=0, json_schema_extra={"secret": True})
    token: Annotated[str, Field(json_schema_extra={"secret": True})] = "t0ken"  # noqa: S105 - a made-up secret
    raw: SecretBytes = SecretBytes(b"raw")
    limit: Decimal = Field(default=Decimal("1.50"), gt=0)
    history: list["Card"] = []


@pytest.mark.parametrize(
    ("annotation", "value", "result"),
    [
        (int, 3, 3),
        (int, "3", 3),
        (Annotated[int, Field(gt=0)], 1, 1),
        (Decimal | None, "1.50", Decimal("1.50")),
        (list[Item], [{"qty": "2"}], [Item(qty=2)]),
        (Any, {1: object}, {1: object}),
        (None, None, None),
        (Paid, {"payment_id": "p", "amount": "3"}, {"payment_id": "p", "amount": 3}),
        (list[Paid | None], [None, {"payment_id": "p"}], [None, {"payment_id": "p"}]),
        (tuple[dt.date, ...], ["2026-01-02"], (dt.date(2026, 1, 2),)),
        (Color, "red", Color.RED),
    ],
)
def test_a_value_becomes_what_its_type_makes_of_it(annotation: Any, value: Any, result: Any) -> None:
    """Python-mode validation, with pydantic's usual coercions."""
    made = validate(annotation, value)
    assert made == result
    assert type(made) is type(result)


def test_an_instance_counts_as_valid() -> None:
    """Subclass instances stay what they are."""
    gift = Gift(note="x")
    assert validate(Item, gift) is gift


@pytest.mark.parametrize(
    ("annotation", "value", "message"),
    [
        (int, "x", "`order` should be a valid integer, unable to parse string as an integer, given 'x'"),
        (int, None, "`order` should be a valid integer, given None"),
        (Annotated[int, Field(gt=0)], -5, "`order` should be greater than 0, given -5"),
        (list[Item], [{}, {"qty": "x"}], "`order[1].qty` should be a valid integer"),
        (dict[str, Item], {"a b": {"qty": []}}, "`order['a b'].qty` should be a valid integer, given a list"),
        (dict[int, int], {"x": 1}, "`order['x'] (the key)`"),
        (Paid, {}, "`order.payment_id` is required"),
        (Paid, {"payment_id": "p", "amount": 0}, "`order.amount` should be greater than 0, given 0"),
        (
            int | list[int],
            "x",
            "should be a valid integer, unable to parse string as an integer or should be a valid list",
        ),
        (int | list[Item], [{"qty": "x"}], "`order[0].qty`"),
        (Point, {"x": "no"}, "`order.x` should be a valid number"),
        (Card, {"number": "1", "limit": -1}, "`order.limit` should be greater than 0, given an int"),
    ],
)
def test_misfits_are_told_in_our_words(annotation: Any, value: Any, message: str) -> None:
    """Path, reason, and the value where it is no secret; no links, no labels of union members."""
    with pytest.raises(InvalidValueError) as caught:
        validate(annotation, value, "order")
    assert message in str(caught.value)
    assert "http" not in str(caught.value)


def test_an_error_never_shows_a_secret() -> None:
    """A class that can hold secrets shows no values at all."""
    with pytest.raises(InvalidValueError) as caught:
        validate(Card, {"number": 77123, "pin": "hunter2", "limit": "s3cret"}, "card")
    for secret in ("77123", "hunter2", "s3cret"):
        assert secret not in str(caught.value)


def test_masks() -> None:
    """SecretStr, SecretBytes and marked fields, nested ones too; nothing else."""
    card = Card(number=SecretStr("4000"), history=[Card(number=SecretStr("4001"))])
    inner = {"number": "***", "pin": "***", "token": "***", "raw": "***", "limit": "1.50", "history": []}
    assert mask(card) == {**inner, "history": [inner]}
    assert mask({"cards": [card], "x": SecretStr("y")}) == {"cards": [{**inner, "history": [inner]}], "x": "***"}


def test_masks_by_declared_type() -> None:
    """A marked parameter or TypedDict key is masked where the type says so."""
    secret = Annotated[str, Field(json_schema_extra={"secret": True})]

    class Login(typing.TypedDict):
        user: str
        password: secret

    assert mask("x", secret) == "***"
    assert mask(["x"], list[secret]) == ["***"]
    assert mask({"a": "x"}, dict[str, secret] | None) == {"a": "***"}
    assert mask({"user": "u", "password": "p"}, Login) == {"user": "u", "password": "***"}


def test_which_types_hold_secrets() -> None:
    """Through containers, fields and marks."""
    assert all(map(holds_secret, [Card, list[Card], SecretStr | None, dict[str, tuple[int, SecretBytes]], Gift]))
    assert not any(map(holds_secret, [int, Item, list[Money], object]))


def test_names_of_secret_fields() -> None:
    """At any depth, by mark, by class and by what a container holds; classes that hold themselves come to an end."""

    class Wallet(BaseModel):
        cards: dict[str, list[Card]]
        gift: Gift | None = None
        keys: list[SecretStr] = []
        owner: str = ""

    assert secret_names(Wallet) == {"number", "pin", "token", "raw", "code", "keys"}
    assert secret_names(int) == secret_names(object) == secret_names(dict[str, object]) == frozenset()


def test_plain_forms() -> None:
    """What people read: texts for what JSON has no form for."""
    value = {
        "d": Decimal("1.20"),
        "t": dt.datetime(2026, 1, 2, tzinfo=dt.UTC),
        "s": {3, 1, 2},
        "b": b"\0",
        "e": Color.RED,
        "u": uuid.UUID(int=1),
        "n": float("nan"),
        "td": dt.timedelta(seconds=90),
        ("k", 1): Money(Decimal(1)),
        "f": len,
    }
    assert to_plain(value) == {
        "d": "1.20",
        "t": "2026-01-02T00:00:00+00:00",
        "s": [1, 2, 3],
        "b": "AA==",
        "e": "red",
        "u": "00000000-0000-0000-0000-000000000001",
        "n": "nan",
        "td": 90.0,
        '["k",1]': {"amount": "1", "currency": "EUR"},
        "f": "<builtins:builtin_function_or_method>",
    }


def test_plain_forms_reveal_secrets_only_when_asked() -> None:
    """Closed by default."""
    card = Card(number=SecretStr("4000"))
    assert to_plain(card)["number"] == "***"  # type: ignore[index,call-overload]
    revealed: Any = to_plain(card, reveal_secrets=True)
    assert (revealed["number"], revealed["pin"], revealed["raw"]) == ("4000", 0, "cmF3")


@settings(max_examples=CASES, deadline=None)
@given(storable(), st.booleans())
def test_every_storable_value_has_a_json_form(value: Any, reveal: bool) -> None:
    """Masks and plain forms never fail, and are JSON."""
    plain = to_plain(value, reveal_secrets=reveal)
    assert orjson.loads(orjson.dumps(plain)) == plain


def test_copies_share_nothing_that_can_change() -> None:
    """Lists, dicts and author's objects are new; plain values are the same objects."""
    value = {"a": [1, [2]], "p": Point(1.0, tags=["x"]), "i": Item(sku="s")}
    copied: Any = copy_value(value)
    assert same(copied, value)
    copied["a"][1].append(3)
    copied["p"].tags.append("y")
    copied["i"].qty = 9
    assert same(value, {"a": [1, [2]], "p": Point(1.0, tags=["x"]), "i": Item(sku="s")})
    with pytest.raises(NotStorableError):
        copy_value([object()])


def test_sameness_is_by_type_and_order() -> None:
    """1 is not True, 1 is not 1.0, NaN is NaN, and dicts have an order."""
    assert not same(1, True)
    assert not same(1, 1.0)
    assert not same(0.0, -0.0)
    assert same(float("nan"), float("nan"))
    assert not same({"a": 1, "b": 2}, {"b": 2, "a": 1})
    assert same({1, 2}, {2, 1})
    assert not same(Item(), Gift())
