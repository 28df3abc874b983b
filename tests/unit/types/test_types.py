"""Type texts, fingerprints and the lint of what cannot be stored."""

import collections
import collections.abc
import datetime as dt
import enum
import functools
import importlib
import pathlib
import threading
import typing
import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    Optional,
    Required,
    TypedDict,
    TypeVar,
    Union,
)

import pydantic
import pytest
from hypothesis import given, settings
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypeAliasType

from ruvon.ir.types import (
    FieldEntry,
    NoFingerprintError,
    TypeEntry,
    TypeTextError,
    UnresolvedTypeError,
    class_path,
    fingerprint,
    parse_type,
    type_table,
    type_text,
    unstorable,
)
from tests.support.cases import CASES
from tests.support.values import typed

T = TypeVar("T")
Bounded = TypeVar("Bounded", bound=Decimal)
Sku = NewType("Sku", str)
Alias = TypeAliasType("Alias", list[int])
Pairs = TypeAliasType("Pairs", dict[str, T], type_params=(T,))
Tangled = TypeAliasType("Tangled", int | list["Tangled"])  # type: ignore[misc]
HERE = __name__


class Color(enum.Enum):
    RED = 1
    BLUE = "b"


class Item(BaseModel):
    sku: str
    qty: int = 1
    kids: list["Item"] = []


class Page(BaseModel, Generic[T]):
    items: list[T]


@dataclass
class Box(Generic[T]):
    content: T
    spare: dict[str, T] | None = None


class Row(TypedDict, total=False):
    id: Required[int]
    color: Color


class Declined(Exception):
    code: int
    reason: str = ""


def _resolve(path: str) -> Any:
    module, _, name = path.partition(":")
    return functools.reduce(getattr, name.split("."), importlib.import_module(module))


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (int, "int"),
        (None, "None"),
        (Any, "object"),
        (object, "object"),
        (Decimal, "Decimal"),
        (uuid.UUID, "UUID"),
        (dt.datetime, "datetime"),
        (list[Item], f"list[{HERE}:Item]"),
        (typing.List[int], "list[int]"),  # noqa: UP006 - the old spellings are read too
        (dict[str, Decimal], "dict[str, Decimal]"),
        (tuple[int, ...], "tuple[int, ...]"),
        (tuple[()], "tuple[()]"),
        (tuple, "tuple"),
        (typing.Tuple, "tuple"),  # noqa: UP006
        (Optional[int], "int | None"),  # noqa: UP045
        (None | str | int, "str | int | None"),
        (Union[int, Union[str, None, bool]], "int | str | bool | None"),  # noqa: UP007
        (list[int | None], "list[int | None]"),
        (Literal["a", "b"], "Literal['a', 'b']"),
        (Literal[1, True, b"x]"], "Literal[1, True, b'x]']"),
        (Literal[Color.RED], f"Literal[{HERE}:Color.RED]"),
        (Annotated[int, Field(gt=0)], "int"),
        (list[Annotated[int, Field(gt=0)]], "list[int]"),
        (Annotated[int | None, "x"] | str, "int | str | None"),
        (Sku, "str"),
        (T, "object"),
        (Bounded, "Decimal"),
        (Alias, "list[int]"),
        (Pairs[int], "dict[str, int]"),
        (Row, f"{HERE}:Row"),
        (Page[Item], f"{HERE}:Page[{HERE}:Item]"),
        (Box[Item], f"{HERE}:Box[{HERE}:Item]"),
        (collections.abc.Sequence[int], "collections.abc:Sequence[int]"),
        (collections.abc.Callable[[int], str], "collections.abc:Callable[[int], str]"),
        (pydantic.AwareDatetime, "datetime"),
        (pydantic.SecretStr, "pydantic.types:SecretStr"),
        (NotRequired[int], "int"),
        (dict[str, pydantic.JsonValue], "dict[str, object]"),
        (Tangled, "object"),
    ],
)
def test_texts(annotation: Any, text: str) -> None:
    """The canonical text, and that reading it gives a type with the same text."""
    assert type_text(annotation) == text
    assert type_text(parse_type(text, _resolve)) == text


@settings(max_examples=CASES, deadline=None)
@given(typed())
def test_reading_a_text_is_the_inverse_of_writing_it(pair: tuple[Any, Any]) -> None:
    """`parse_type` undoes `type_text` for every storable type."""
    text = type_text(pair[0])
    assert type_text(parse_type(text, _resolve)) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lst[int]", "`lst` is no built-in type"),
        ("list[int", "expected `,` at character 9"),
        ("int |", "expected the name of a type at character 6"),
        ("list[int]]", "expected the end at character 10"),
        ("int[str]", "`int` takes no such arguments"),
        ("Literal[]", "expected a value of the Literal"),
        ("list[$]", "unexpected character at character 6"),
        ("", "expected the name of a type at character 1"),
    ],
)
def test_a_wrong_text_is_reported_with_its_place(text: str, message: str) -> None:
    """The error names the text, what was expected, and where."""
    with pytest.raises(TypeTextError) as caught:
        parse_type(text, _resolve)
    assert message in str(caught.value)


def test_the_callers_errors_pass_through() -> None:
    """`resolve` decides what may be loaded, and says why not."""

    def refuse(path: str) -> object:
        raise LookupError(path)

    with pytest.raises(LookupError, match="shop:Item"):
        parse_type("list[shop:Item]", refuse)


def test_fingerprints() -> None:
    """Fields in order with their type texts, for each kind of class."""
    assert fingerprint(Item) == TypeEntry(
        "model",
        (
            FieldEntry("sku", "str", required=True),
            FieldEntry("qty", "int", required=False),
            FieldEntry("kids", f"list[{HERE}:Item]", required=False),
        ),
    )
    assert fingerprint(Box).fields[1] == FieldEntry("spare", "dict[str, object] | None", required=False)
    assert fingerprint(Row).fields == (
        FieldEntry("id", "int", required=True),
        FieldEntry("color", f"{HERE}:Color", required=False),
    )
    assert fingerprint(Color).fields == (
        FieldEntry("RED", "int", required=True),
        FieldEntry("BLUE", "str", required=True),
    )
    assert fingerprint(Declined) == TypeEntry(
        "exception",
        (FieldEntry("code", "int", required=True), FieldEntry("reason", "str", required=False)),
        (f"{HERE}:Declined", "builtins:Exception", "builtins:BaseException"),
    )


def test_a_class_without_fields_has_no_fingerprint() -> None:
    """The error says what to make of it."""
    with pytest.raises(NoFingerprintError, match="make it a pydantic model"):
        fingerprint(threading.Thread)


def test_the_table_is_closed_and_sorted() -> None:
    """Everything that can be reached from the annotations is in it, by path."""
    table = type_table([dict[str, Box[Page[Item]]], Literal[Color.RED]])
    assert list(table) == sorted(table)
    assert set(table) == {f"{HERE}:{name}" for name in ("Box", f"Page[{HERE}:Item]", "Item", "Color")}


def test_a_parametrised_model_has_a_path_of_its_own() -> None:
    """`Page[Item]` is a class that no module holds."""
    assert class_path(Page[Item]) == f"{HERE}:Page[{HERE}:Item]"
    assert class_path(Page) == f"{HERE}:Page"


@dataclass
class Dangling:
    there: "NotDefinedAnywhere"  # type: ignore[name-defined] # noqa: F821


def test_an_unresolved_name_is_reported() -> None:
    """The error names the class and the name."""
    with pytest.raises(UnresolvedTypeError, match="NotDefinedAnywhere"):
        fingerprint(Dangling)
    assert [item.code for item in unstorable(Dangling, "state")] == ["RV0517"]


class Money(Decimal):
    pass


class Pair(NamedTuple):
    a: int
    b: int


class Private(BaseModel):
    shown: int = 0
    _memo: dict[str, int] = pydantic.PrivateAttr(default_factory=dict)


class Excluding(BaseModel):
    token: str = Field("", exclude=True)


class Arbitrary(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    lock: threading.Event | None = None


@pytest.mark.parametrize(
    ("annotation", "findings"),
    [
        (Excluding, [("state.token", "RV0510")]),
        (Private, [("state._memo", "RV0511")]),
        (Arbitrary, [("state.lock", "RV0512")]),
        (list[pathlib.Path], [("state[]", "RV0512")]),
        (pydantic.HttpUrl, [("state", "RV0512")]),
        (collections.abc.Callable[[], int], [("state", "RV0512")]),
        (collections.deque[int], [("state", "RV0512")]),
        (set[list[int]], [("state{}", "RV0513")]),
        (dict[Item, int], [("state (keys)", "RV0513")]),
        (set[tuple[int, Row]], [("state{}", "RV0513")]),
        (Declined, [("state", "RV0514")]),
        (collections.abc.Iterator[int], [("state", "RV0515")]),
        (list[Money], [("state[]", "RV0516")]),
        (Pair, [("state", "RV0516")]),
        (dict[str, list[Private | Excluding]], [("state[][]._memo", "RV0511"), ("state[][].token", "RV0510")]),
    ],
)
def test_what_cannot_be_stored_is_found_by_type(annotation: Any, findings: list[tuple[str, str]]) -> None:
    """Each rule finds its case and names the place."""
    found = unstorable(annotation, "state")
    assert [(item.path, item.code) for item in found] == findings
    assert all(item.help and item.message for item in found)


@settings(max_examples=CASES, deadline=None)
@given(typed())
def test_storable_types_have_no_findings(pair: tuple[Any, Any]) -> None:
    """What the codec stores, the lint lets pass (private attributes apart, which it keeps all the same)."""
    assert [item for item in unstorable(pair[0]) if item.code != "RV0511"] == []


def test_rows_that_are_no_problem_any_more() -> None:
    """Any, subclass fields, secrets, NaN, validators, computed fields and aliases are kept by the codec."""

    class Fine(BaseModel):
        anything: Any
        mapping: dict[object, object]
        base: Item
        secret: pydantic.SecretStr
        when: pydantic.AwareDatetime
        mail: Annotated[str, Field(alias="MAIL")]
        many: collections.abc.Sequence[Item]

    assert unstorable(Fine) == []


@dataclass
class Crate(Generic[T]):
    page: Page[T]
    boxes: list[Box[T]]


def test_arguments_reach_through_the_fields_of_a_generic_class() -> None:
    """`Crate[Item]` holds a `Page[Item]`, which neither `Crate` nor `Item` names."""
    assert f"{HERE}:Page[{HERE}:Item]" in type_table([Crate[Item]])
