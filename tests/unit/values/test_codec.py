"""The codec: exact types, order, no loss, only known classes."""

import datetime as dt
import enum
import time
import zoneinfo
from collections import OrderedDict
from decimal import Decimal
from typing import Any, ClassVar, cast

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, SecretStr, computed_field, field_validator

from ruvon.ir.values import (
    NotStorableError,
    UnknownTypeError,
    UnreadableValueError,
    class_table,
    codec_for,
    copy_value,
    same,
)
from tests.support.cases import CASES
from tests.support.values import (
    CLASSES,
    Box,
    Color,
    Gift,
    Hidden,
    Item,
    Money,
    Node,
    Open,
    Page,
    Point,
    Right,
    Row,
    Sealed,
    exactly_equal,
    storable,
    typed,
)

_campaign = settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck))


def _round_trip(annotation: Any, value: Any) -> bytes:
    codec = codec_for(annotation, CLASSES)
    data = codec.encode(value)
    back = codec.decode(data)
    assert exactly_equal(back, value), (data, back)
    assert codec.encode(back) == data
    return data


@_campaign
@given(storable())
def test_every_storable_value_comes_back_exactly(value: Any) -> None:
    """S3-026: without a declared type, a value describes itself."""
    _round_trip(object, value)


@_campaign
@given(typed())
def test_every_typed_value_comes_back_exactly(pair: tuple[Any, Any]) -> None:
    """With a declared type, the same holds for values of it."""
    _round_trip(*pair)


@_campaign
@given(typed(), storable(4))
def test_a_value_of_another_type_than_declared_comes_back_exactly(pair: tuple[Any, Any], other: Any) -> None:
    """A place never changes what is put into it: what is not of its type is tagged."""
    _round_trip(pair[0], other)


@_campaign
@given(storable(6))
def test_a_copy_is_what_storing_and_reading_gives(value: Any) -> None:
    """`copy_value` and the codec agree, and `same` sees it."""
    copied = copy_value(value)
    assert exactly_equal(copied, value)
    assert same(copied, value)


@_campaign
@given(storable(6), storable(6))
def test_same_is_exact_equality(left: Any, right: Any) -> None:
    """Two values are the same exactly if they encode to the same bytes."""
    codec = codec_for(object, CLASSES)
    assert same(left, right) == (codec.encode(left) == codec.encode(right))


@pytest.mark.parametrize(
    ("annotation", "value", "text"),
    [
        (int, 3, "3"),
        (int, 2**63, '{"$int":"0x8000000000000000"}'),
        (float, float("nan"), '{"$float":"nan"}'),
        (float, -0.0, "-0.0"),
        (bytes, b"\0\1", '"AAE="'),
        (object, b"\0\1", '{"$bytes":"AAE="}'),
        (Decimal, Decimal("1.20"), '"1.20"'),
        (object, Decimal("1.20"), '{"$decimal":"1.20"}'),
        (dt.timedelta, dt.timedelta(days=-1, microseconds=1), "[-1,0,1]"),
        (str, "\0", '"\\u0000"'),
        (object, {1: "a"}, '{"$dict":[[1,"a"]]}'),
        (object, {"$x": 1}, '{"$dict":[["$x",1]]}'),
        (object, {"$x": 1, "y": 2}, '{"$x":1,"y":2}'),
        (dict[str, int], {"$int": 1}, '{"$dict":[["$int",1]]}'),
        (dict[int, str], {2: "b", 1: "a"}, '[[2,"b"],[1,"a"]]'),
        (list[int], [1, True], '[1,{"$bool":true}]'),
        (set[str], {"b", "a", "c"}, '["a","b","c"]'),
        (object, (1, frozenset({2})), '{"$tuple":[1,{"$frozenset":[2]}]}'),
        (Color, Color.CRIMSON, '"RED"'),
        (object, Color.GREEN, '{"$tests.support.values:Color":"GREEN"}'),
        (Right, Right.READ | Right.WRITE, "[3]"),
        (Item, Item(sku="a", qty=2, price=Decimal(3)), '{"sku":"a","qty":2,"price":"3"}'),
        (Item, Item(qty=2), '{"sku":"","qty":2,"price":"1","#given":["qty"]}'),
        (Item | None, None, "null"),
        (Item | Money, Money(Decimal(1)), '{"$tests.support.values:Money":{"amount":"1","currency":"EUR"}}'),
        (Open, Open.model_validate({"x": Decimal(1)}), '{"known":0,"#given":["x"],"#extra":{"x":{"$decimal":"1"}}}'),
        (Page[Item], Page[Item](), '{"items":[],"first":null,"#given":[]}'),
        (Row, {"id": 1, "color": Color.RED}, '{"id":1,"color":"RED"}'),
        (dt.datetime, dt.datetime(2026, 1, 2, tzinfo=dt.UTC), '"2026-01-02T00:00:00+00:00"'),
        (
            dt.datetime,
            dt.datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=zoneinfo.ZoneInfo("Europe/Rome")),
            '"2026-10-25T02:30:00[fold;Europe/Rome]"',
        ),
    ],
)
def test_forms(annotation: Any, value: Any, text: str) -> None:
    """The stored text is part of the format: a change here is a change of every stored workflow."""
    assert _round_trip(annotation, value).decode() == text


def test_the_order_of_a_dict_is_kept() -> None:
    """`for k in state.prices` runs in the same order after a reload."""
    prices = {"b": 1, "a": 2, "c": 0}
    back = codec_for(dict[str, int], CLASSES).decode(_round_trip(dict[str, int], prices))
    assert isinstance(back, dict)
    assert list(back) == ["b", "a", "c"]


def test_equal_sets_encode_equally() -> None:
    """The order of a set depends on the hash seed; its bytes do not."""
    codec = codec_for(set[object], CLASSES)
    assert codec.encode({1, "a", (2, 3)}) == codec.encode({(2, 3), "a", 1})


@pytest.mark.parametrize(
    ("value", "path", "name"),
    [
        (object(), "state.x", "object"),
        ([1, {"a": [open]}], "state.x[1]['a'][0]", "builtin_function_or_method"),
        (Node(name="n", any=Point(1.0, cast("float", object()))), "state.x.any.y", "object"),
        ({(1, lambda: 0): 2}, "state.x (a key)[1]", "function"),
        (Open.model_validate({"more": {1: {object}}}), "state.x.more[1]{...}", "type"),
        (["\ud800"], "state.x[0]", "str"),
        (OrderedDict(a=1), "state.x", "OrderedDict"),
        (time.gmtime(0), "state.x", "struct_time"),
        (ValueError("no"), "state.x", "ValueError"),
    ],
)
def test_what_cannot_be_stored_is_named_with_its_path(value: Any, path: str, name: str) -> None:
    """The error says where and what."""
    with pytest.raises(NotStorableError) as caught:
        codec_for(object, CLASSES).encode(value, "state.x")
    assert (caught.value.path, caught.value.value_type.__name__) == (path, name)


def test_a_value_that_contains_itself_is_refused() -> None:
    """A cycle has no finite form."""
    ring: list[Any] = [1]
    ring.append(ring)
    with pytest.raises(NotStorableError, match="contains itself"):
        codec_for(object, CLASSES).encode(ring)


def test_a_value_nested_too_deeply_is_refused() -> None:
    """The limit is orjson's; beyond it the error says so."""
    deep: list[Any] = []
    for _ in range(300):
        deep = [deep]
    with pytest.raises(NotStorableError, match="deeper than 250"):
        codec_for(object, CLASSES).encode(deep)


class _Stranger(BaseModel):
    n: int = 0


def test_a_class_outside_the_table_is_not_written() -> None:
    """The table is closed in both directions, for declared types too."""
    for annotation in (object, _Stranger, list[_Stranger]):
        with pytest.raises(NotStorableError, match="not among the classes"):
            codec_for(annotation, CLASSES).encode([_Stranger()] if annotation is not _Stranger else _Stranger())


@pytest.mark.parametrize("tag", ["builtins:object", "os:system", "subprocess:Popen", f"{__name__}:_Stranger"])
def test_bytes_cannot_choose_a_class(tag: str) -> None:
    """Reading instantiates only what the table holds, whatever the bytes say."""
    for annotation in (object, Item, int, list[object], dict[str, Item]):
        with pytest.raises((UnknownTypeError, UnreadableValueError)):
            codec_for(annotation, CLASSES).decode(orjson.dumps({f"${tag}": {}}))


_DAMAGED_KEYS = st.sampled_from(["$int", "$decimal", "$dict", "$set", "#given", "a", "$tests.support.values:Item"])
_damaged = st.recursive(
    st.none() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_DAMAGED_KEYS, inner, max_size=2),
)


@_campaign
@given(typed(), _damaged)
def test_damaged_bytes_never_raise_anything_but_our_errors(pair: tuple[Any, Any], tree: Any) -> None:
    """Whatever stands in the store, reading gives a value or one of two typed errors."""
    codec = codec_for(pair[0], CLASSES)
    try:
        value = codec.decode(orjson.dumps(tree))
    except (UnknownTypeError, UnreadableValueError):
        return
    assert copy_value(value) is not NotImplemented


def test_reading_runs_none_of_the_authors_code() -> None:
    """Neither `__init__`, nor validators, nor `model_post_init`, nor `__post_init__` run."""
    table = class_table([_Loud])
    codec = codec_for(_Loud, table)
    data = codec.encode(_Loud(pin="1234"))
    _Loud.calls.clear()
    back = codec.decode(data)
    assert not _Loud.calls
    assert isinstance(back, _Loud)
    assert back.pin == "h1234"


class _Loud(BaseModel):
    calls: ClassVar[list[str]] = []
    pin: str

    @field_validator("pin")
    @classmethod
    def _hash(cls, value: str) -> str:
        cls.calls.append("validator")
        return f"h{value}"

    def model_post_init(self, _: Any, /) -> None:
        self.calls.append("post_init")


def test_private_attributes_are_kept() -> None:
    """They are a finding at link time, but the codec loses nothing."""
    value = Hidden(shown=1)
    value._memo["a"] = 2
    back = codec_for(Hidden, CLASSES).decode(codec_for(Hidden, CLASSES).encode(value))
    assert isinstance(back, Hidden)
    assert back._memo == {"a": 2}


def test_a_generic_dataclass_uses_its_arguments() -> None:
    """`Box[Decimal]` writes its content without a tag, a bare `Box` with one."""
    assert _round_trip(Box[Decimal], Box(Decimal(1))) == b'{"content":"1","spare":[]}'
    assert _round_trip(Box, Box(Decimal(1))) == b'{"content":{"$decimal":"1"},"spare":[]}'


def test_a_field_that_the_class_has_gained_takes_its_default() -> None:
    """Old bytes are read with a newer class."""
    back = codec_for(Gift, CLASSES).decode(b'{"sku":"a"}')
    assert back == Gift(sku="a")
    assert codec_for(Point, CLASSES).decode(b'{"x":1.0}') == Point(1.0)


def test_an_enum_member_that_is_gone_is_reported() -> None:
    """The error names the enum and the member."""
    with pytest.raises(UnreadableValueError, match="no member `BLUE`"):
        codec_for(Color, CLASSES).decode(b'"BLUE"')


def test_codecs_are_made_once() -> None:
    """The same annotation and table give the same codec, for a plain mapping too."""
    assert codec_for(list[Item], CLASSES) is codec_for(list[Item], CLASSES)
    plain = dict(CLASSES)
    assert codec_for(Item, plain) is codec_for(Item, dict(plain))


class _TableD(BaseModel):
    """One field per row of the table of what JSON loses."""

    model_config = ConfigDict(extra="forbid")
    anything: Any = None
    mapping: dict[str, object] = {}
    keys: object = None
    base: Item = Item()
    secret: SecretStr = SecretStr("")
    number: float = 0.0
    excluded: int = Field(default=0, exclude=True)
    pin: str = Field(default="", alias="PIN")

    @field_validator("pin")
    @classmethod
    def _hash(cls, value: str) -> str:
        return f"h({value})"

    @computed_field  # type: ignore[prop-decorator]
    @property
    def double(self) -> float:
        return self.number * 2


@pytest.mark.parametrize(
    ("given_fields", "name"),
    [
        ({"anything": [Decimal("1.0"), dt.datetime(2026, 1, 1, tzinfo=dt.UTC), (1, 2), {3}]}, "anything"),
        ({"mapping": {"a": Decimal(1), "b": (1,), "c": dt.date(2026, 1, 1), "d": {1}}}, "mapping"),
        ({"keys": {1: "a", (2, 3): "b"}}, "keys"),
        ({"base": Gift(note="n")}, "base"),
        ({"secret": "hunter2"}, "secret"),
        ({"number": float("nan")}, "number"),
        ({"number": float("inf")}, "number"),
        ({"excluded": 7}, "excluded"),
        ({"PIN": "1234"}, "pin"),
    ],
)
def test_nothing_is_lost_on_the_way_through_the_database(given_fields: dict[str, Any], name: str) -> None:
    """Every row of the table: value, type, secret, subclass, alias, validator, computed field with extra=forbid."""
    table = class_table([_TableD])
    codec = codec_for(_TableD, table)
    value = _TableD(**given_fields)
    back = codec.decode(codec.encode(value))
    assert exactly_equal(back, value)
    assert exactly_equal(getattr(back, name), getattr(value, name))


class _Later(enum.Enum):
    A = 1


def test_subclasses_known_at_link_time_are_in_the_table() -> None:
    """A field of a base class can hold them; without `subclasses` the table holds only what is declared."""
    assert f"{Gift.__module__}:Gift" in class_table([Item])
    assert f"{Gift.__module__}:Gift" not in class_table([Item], subclasses=False)
    assert list(class_table([_Later])) == [f"{__name__}:_Later"]


def test_a_frozen_model_in_a_set_comes_back() -> None:
    """Hashable models are members like any other."""
    _round_trip(set[Sealed], {Sealed(key="a"), Sealed(key="b", weight=1.0)})
