"""Every code of the expression language: a title, an explanation, a failing and a mended example.

The catalogue of the front ends and its tests read this table. Examples are checked against the types of
`ruvon.ir.expr._examples`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ruvon.ir._diagnostics import CodeInfo

__all__ = ["CODES"]


def _page(title: str, explanation: str, bad: str, good: str) -> CodeInfo:
    return CodeInfo(title=title, explanation=explanation, bad=bad, good=good, language="expression")


EFFECT: Final = "RV0201"
OUTSIDE_NAME: Final = "RV0202"
SYNTAX: Final = "RV0210"
TOO_LARGE: Final = "RV0211"
CHARACTERS: Final = "RV0212"
LOOKALIKE: Final = "RV0213"
LAMBDA: Final = "RV0214"
WALRUS: Final = "RV0215"
AWAIT: Final = "RV0216"
YIELD: Final = "RV0217"
ELLIPSIS: Final = "RV0218"
COMPLEX: Final = "RV0219"
MATMUL: Final = "RV0220"
STARRED: Final = "RV0221"
UNDERSCORE: Final = "RV0222"
NOT_CALLABLE: Final = "RV0223"
METHOD: Final = "RV0224"
MUTATION: Final = "RV0225"
FORMAT: Final = "RV0226"
LITERAL_ARGUMENT: Final = "RV0227"
REF_NOT_ALLOWED: Final = "RV0228"
ASYNC_COMPREHENSION: Final = "RV0229"
FUNCTION_VALUE: Final = "RV0230"
TARGET: Final = "RV0231"
PARAMETER: Final = "RV0232"
MISPLACED_IMPURE: Final = "RV0233"
TRUTH: Final = "RV0306"
OPERANDS: Final = "RV0501"
OPTIONAL: Final = "RV0502"
ARGUMENTS: Final = "RV0503"
FIELD: Final = "RV0504"
NOT_DATA: Final = "RV0520"
IDENTITY: Final = "RV0521"
SET_ORDER: Final = "RV0522"
NEVER_EQUAL: Final = "RV0523"
NOT_AWAITED: Final = "RV0524"
NO_ITEMS: Final = "RV0525"
MISMATCH: Final = "RV0526"
UNHASHABLE: Final = "RV0527"
UNPACK: Final = "RV0528"
NOT_PRINTABLE: Final = "RV0529"

_CONSTANT: Final = """\
from typing import Final

from pydantic import BaseModel

from ruvon import step, workflow

LARGEST: Final = {value}


class Order(BaseModel):
    number: int


@step
async def ship(number: int) -> None:
    print("shipping", number)


@workflow("Example")
async def example(state: Order) -> None:
    if state.number < LARGEST:
        await ship(state.number)
"""

CODES: Final[Mapping[str, CodeInfo]] = MappingProxyType(
    {
        EFFECT: _page(
            "a call with an effect",
            "The call talks to the outside world or gives another value each time, so it would act again, or "
            "differ, when an instance is resumed. Work belongs into a step; time, ids and chance have "
            "recorded forms.",
            "datetime.now()",
            "now()",
        ),
        OUTSIDE_NAME: _page(
            "a name from outside",
            "An expression sees `state`, variables bound before it and loop variables. Anything else would "
            "not be part of the stored definition.",
            "threshold + 1",
            "state.amount + 1",
        ),
        SYNTAX: _page(
            "not an expression",
            "The text cannot be read as one Python expression.",
            "state.amount >",
            "state.amount > 1",
        ),
        TOO_LARGE: _page(
            "an expression too large",
            "Text, nesting, the number of parts and integer literals are bounded, so that every definition "
            "can be checked in bounded time.",
            "[" * 150 + "]" * 150,
            "[1, 2]",
        ),
        CHARACTERS: _page(
            "a forbidden character",
            "Control characters, bidirectional marks and lone surrogates can make a text read differently "
            "from what it means.",
            "'a\u202e'",
            "'a'",
        ),
        LOOKALIKE: _page(
            "a name in look-alike letters",
            "Python folds compatibility letters into plain ones, so two spellings would be one name.",
            "\uff53tate.amount",
            "state.amount",
        ),
        LAMBDA: _page(
            "a lambda",
            "Functions are not values of the language, because they cannot be stored.",
            "(lambda x: x)(1)",
            "1",
        ),
        WALRUS: _page(
            "an assignment inside an expression",
            "Names are bound by statements and by `output`, where the engine records them.",
            "(total := 1) + 1",
            "1 + 1",
        ),
        AWAIT: _page(
            "await inside an expression",
            "Work that may wait stands as a statement of its own, so that everything before it is recorded first.",
            "await state.amount",
            "state.amount",
        ),
        YIELD: _page(
            "yield inside an expression",
            "A workflow gives one result and is no generator.",
            "(yield 1)",
            "1",
        ),
        ELLIPSIS: _page(
            "`...` as a value",
            "An ellipsis has no meaning for data.",
            "[1, ...]",
            "[1, None]",
        ),
        COMPLEX: _page(
            "a complex number",
            "Complex numbers cannot be stored.",
            "2j",
            "2.0",
        ),
        MATMUL: _page(
            "the operator @",
            "Matrices are not data of the language.",
            "state.lines @ state.lines",
            "state.count * state.count",
        ),
        STARRED: _page(
            "a star in the wrong place",
            "`*` and `**` unpack inside a list, tuple, set or dict display and in a call, nowhere else.",
            "state.tags[*state.tags]",
            "[*state.tags]",
        ),
        UNDERSCORE: _page(
            "a name that begins with an underscore",
            "Such names belong to Python and to the inside of classes, not to data.",
            "state.__class__",
            "state.amount",
        ),
        NOT_CALLABLE: _page(
            "a call of something that is no function of the language",
            "Calls are possible to the listed functions and methods, to classes in the definition's `uses` "
            "table and to `@pure` functions.",
            "eval('1')",
            "int('1')",
        ),
        METHOD: _page(
            "an unknown method",
            "Only methods that read are known, and only those of text, numbers, dates and collections.",
            "state.note.translate({})",
            "state.note.upper()",
        ),
        MUTATION: _page(
            "a method that changes its object",
            "Values in an expression are never changed, because the change would not be recorded.",
            "state.tags.append('x')",
            "[*state.tags, 'x']",
        ),
        FORMAT: _page(
            "format strings read at run time",
            "A format text can walk into attributes of its arguments; f-strings are checked beforehand.",
            "'{}'.format(state.amount)",
            "f'{state.amount}'",
        ),
        LITERAL_ARGUMENT: _page(
            "an argument that must be written out",
            "`template`, `secret` and `ref` take one literal text, so that a definition shows what it uses.",
            "secret(state.note)",
            "secret('API_KEY')",
        ),
        REF_NOT_ALLOWED: _page(
            "a reference that is not in `uses`",
            "A definition may only use what it lists.",
            "ref('os:system')",
            "state.note",
        ),
        ASYNC_COMPREHENSION: _page(
            "an asynchronous comprehension",
            "Work that may wait cannot stand in an expression.",
            "[x async for x in state.tags]",
            "[x for x in state.tags]",
        ),
        FUNCTION_VALUE: _page(
            "a function or generator used as a value",
            "Functions, methods and generators cannot be stored; call the function, or write a list.",
            "[len]",
            "[len(state.tags)]",
        ),
        TARGET: _page(
            "a loop variable that is no free name",
            "A comprehension binds names, or tuples of names, that are not functions of the language.",
            "[len for len in state.tags]",
            "[tag for tag in state.tags]",
        ),
        PARAMETER: _page(
            "an argument the function does not take",
            "The call has too many, too few or misnamed arguments for a function of the language.",
            "len(1, 2)",
            "len(state.tags)",
        ),
        MISPLACED_IMPURE: _page(
            "a recorded call inside a larger expression",
            "`now()`, `new_id()` and `random()` stand as the whole right side of an assignment, so that "
            "their value is recorded.",
            "now().year",
            "now()",
        ),
        TRUTH: _page(
            "truth of a model",
            "The class defines its own truth or length, so a reader cannot see what is asked.",
            "not state.basket",
            "state.basket.items == []",
        ),
        OPERANDS: _page(
            "operands that do not fit",
            "Python raises TypeError for these two types.",
            "state.amount * 0.05",
            "state.amount * Decimal('0.05')",
        ),
        OPTIONAL: _page(
            "a value that may be None",
            "The value may be None here, and None has no such attribute, item or operation.",
            "state.owner.upper()",
            "state.owner is not None and state.owner.upper() == 'A'",
        ),
        ARGUMENTS: _page(
            "a wrong argument",
            "The arguments do not fit the class or function.",
            "date(2026, 2, 30)",
            "date(2026, 2, 28)",
        ),
        FIELD: _page(
            "an unknown field or key",
            "The type has no such field.",
            "state.amonut",
            "state.amount",
        ),
        NOT_DATA: _page(
            "an attribute that is not data",
            "Fields are stored; properties and methods of a model run code.",
            "state.shouted",
            "state.note",
        ),
        IDENTITY: _page(
            "`is` between values",
            "Identity of stored values is lost when an instance is resumed.",
            "state.count is 3",
            "state.count == 3",
        ),
        SET_ORDER: _page(
            "the order of a set",
            "The order of a set changes with each process, so a resumed instance would take another path.",
            "[label for label in state.labels]",
            "[label for label in sorted(state.labels)]",
        ),
        NEVER_EQUAL: _page(
            "a comparison that is always the same",
            "The two sides have no value in common.",
            "state.status == 'opne'",
            "state.status == 'open'",
        ),
        NOT_AWAITED: _page(
            "a call that was not awaited",
            "The call gives work, not its result; as a condition it is always true.",
            "charge",
            "state.vip",
        ),
        NO_ITEMS: _page(
            "a value without items",
            "The type can neither be indexed nor looped over in this way.",
            "state.count[0]",
            "state.tags[0]",
        ),
        MISMATCH: _page(
            "a value of another type",
            "The value does not fit where it is used.",
            "state.note",
            "state.amount",
        ),
        UNHASHABLE: _page(
            "an unhashable key",
            "Lists, sets and dicts cannot be keys of a dict or members of a set.",
            "{state.tags: 1}",
            "{state.note: 1}",
        ),
        UNPACK: _page(
            "unpacking into the wrong number of names",
            "Each item has another number of parts than there are names.",
            "[a for a, b, c in state.pairs]",
            "[a for a, b in state.pairs]",
        ),
        NOT_PRINTABLE: CodeInfo(
            title="a constant without a text",
            explanation=(
                "Constants of a module become part of the stored definition, as text. An integer of thousands of digits "
                "and a time in a named zone have none that every reader would understand. Compute the value in a step."
            ),
            bad=_CONSTANT.format(value="1 << 20_000"),
            good=_CONSTANT.format(value="1 << 20"),
        ),
    }
)
"""Codes in order, each with its page."""
