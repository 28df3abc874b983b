"""The decided fate of every kind of Python's grammar, in libcst's names and in those of `ast`.

A workflow's body is a subset of Python, so nothing may be undecided: a kind is lowered, is left to the expression
language, is only notation of another kind, or is refused with its own code and a rewrite. A test walks both libraries
and fails on a kind that has no entry, so a new version of Python cannot add one silently.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, final

from ruvon_dsl.python import _codes as codes

__all__ = ["AST_FATES", "CST_FATES", "Fate"]


@final
@dataclass(frozen=True, slots=True)
class Fate:
    """What happens to one kind.

    `lowered` becomes nodes or edges; `expression` is decided by the expression language (which has codes of its own);
    `notation` is a part of another kind; `refused` is reported with `code`, `message` and `help`.
    """

    kind: Literal["lowered", "expression", "notation", "refused"]
    code: str = ""
    message: str = ""
    help: str = ""
    reason: str = ""


LOWERED: Final = Fate("lowered")
EXPRESSION: Final = Fate("expression")
NOTATION: Final = Fate("notation")

_ASSERT: Final = Fate(
    "refused",
    codes.ASSERT,
    "`assert` disappears under `python -O`, so a workflow cannot rely on it",
    "write `if not condition: raise SomeError(...)`",
)
_DELETE: Final = Fate(
    "refused",
    codes.DELETE,
    "`del` has no meaning for stored values",
    "assign the value without the item, or None",
    "a variable that sometimes does not exist cannot be resumed",
)
_GLOBAL: Final = Fate(
    "refused",
    codes.GLOBAL,
    "`global` would write a variable that is not stored with the workflow",
    "keep the value in `state`",
    "after a crash the module variable has its first value again",
)
_NONLOCAL: Final = Fate(
    "refused",
    codes.NONLOCAL,
    "`nonlocal` would let a branch write the variables of the workflow",
    "return the value from the branch, or write a field of `state`",
    "branches run at the same time, so they see the outer variables as they were and bind only their own",
)
_CLASS: Final = Fate(
    "refused", codes.CLASS, "a class cannot be defined inside a workflow", "move the class to the module"
)
_IMPORT: Final = Fate(
    "refused", codes.IMPORT, "an import cannot stand inside a workflow", "move the import to the top of the module"
)
_TYPE_ALIAS: Final = Fate(
    "refused", codes.TYPE_ALIAS, "a type alias cannot stand inside a workflow", "move the alias to the module"
)
_TRY_STAR: Final = Fate(
    "refused",
    codes.EXCEPT_STAR,
    "`except*` has no meaning here, because a `gather` raises its first error alone",
    "use `except`, or `gather(..., partial=True)` to get every failure",
)
_YIELD: Final = Fate(
    "refused",
    codes.YIELD,
    "`yield` would make the workflow a generator",
    "collect the values in a list and return it",
)
_TEMPLATE: Final = Fate(
    "refused",
    codes.TEMPLATE_STRING,
    "a template string is no value of a workflow",
    'write an f-string, or `template("...")` for a Jinja text',
)

CST_FATES: Final[Mapping[str, Fate]] = MappingProxyType(
    {
        # small statements
        "AnnAssign": LOWERED,
        "Assert": _ASSERT,
        "Assign": LOWERED,
        "AugAssign": LOWERED,
        "Break": LOWERED,
        "Continue": LOWERED,
        "Del": _DELETE,
        "Expr": LOWERED,
        "Global": _GLOBAL,
        "Import": _IMPORT,
        "ImportFrom": _IMPORT,
        "LazyImport": _IMPORT,
        "LazyImportFrom": _IMPORT,
        "Nonlocal": _NONLOCAL,
        "Pass": LOWERED,
        "Raise": LOWERED,
        "Return": LOWERED,
        "TypeAlias": _TYPE_ALIAS,
        # compound statements
        "ClassDef": _CLASS,
        "For": LOWERED,
        "FunctionDef": LOWERED,
        "If": LOWERED,
        "Match": LOWERED,
        "Try": LOWERED,
        "TryStar": _TRY_STAR,
        "While": LOWERED,
        "With": LOWERED,
        # expressions
        "Attribute": EXPRESSION,
        "Await": LOWERED,
        "BinaryOperation": EXPRESSION,
        "BooleanOperation": EXPRESSION,
        "Call": LOWERED,
        "Comparison": EXPRESSION,
        "ConcatenatedString": EXPRESSION,
        "Dict": EXPRESSION,
        "DictComp": EXPRESSION,
        "Ellipsis": EXPRESSION,
        "Float": EXPRESSION,
        "FormattedString": EXPRESSION,
        "GeneratorExp": LOWERED,
        "IfExp": EXPRESSION,
        "Imaginary": EXPRESSION,
        "Integer": EXPRESSION,
        "Lambda": EXPRESSION,
        "List": EXPRESSION,
        "ListComp": LOWERED,
        "Name": EXPRESSION,
        "NamedExpr": EXPRESSION,
        "Set": EXPRESSION,
        "SetComp": EXPRESSION,
        "SimpleString": EXPRESSION,
        "StarredDictComp": EXPRESSION,
        "StarredElement": EXPRESSION,
        "Subscript": EXPRESSION,
        "TemplatedString": _TEMPLATE,
        "Tuple": EXPRESSION,
        "UnaryOperation": EXPRESSION,
        "Yield": _YIELD,
        # patterns
        "MatchAs": LOWERED,
        "MatchClass": LOWERED,
        "MatchList": LOWERED,
        "MatchMapping": LOWERED,
        "MatchOr": LOWERED,
        "MatchSequence": NOTATION,
        "MatchSingleton": LOWERED,
        "MatchTuple": LOWERED,
        "MatchValue": LOWERED,
    }
)
"""By the name of the libcst class."""

AST_FATES: Final[Mapping[str, Fate]] = MappingProxyType(
    {
        # statements
        "AnnAssign": LOWERED,
        "Assert": _ASSERT,
        "Assign": LOWERED,
        "AsyncFor": LOWERED,
        "AsyncFunctionDef": LOWERED,
        "AsyncWith": LOWERED,
        "AugAssign": LOWERED,
        "Break": LOWERED,
        "ClassDef": _CLASS,
        "Continue": LOWERED,
        "Delete": _DELETE,
        "Expr": LOWERED,
        "For": LOWERED,
        "FunctionDef": LOWERED,
        "Global": _GLOBAL,
        "If": LOWERED,
        "Import": _IMPORT,
        "ImportFrom": _IMPORT,
        "Match": LOWERED,
        "Nonlocal": _NONLOCAL,
        "Pass": LOWERED,
        "Raise": LOWERED,
        "Return": LOWERED,
        "Try": LOWERED,
        "TryStar": _TRY_STAR,
        "TypeAlias": _TYPE_ALIAS,
        "While": LOWERED,
        "With": LOWERED,
        # expressions
        "Attribute": EXPRESSION,
        "Await": LOWERED,
        "BinOp": EXPRESSION,
        "BoolOp": EXPRESSION,
        "Call": LOWERED,
        "Compare": EXPRESSION,
        "Constant": EXPRESSION,
        "Dict": EXPRESSION,
        "DictComp": EXPRESSION,
        "FormattedValue": NOTATION,
        "GeneratorExp": LOWERED,
        "IfExp": EXPRESSION,
        "Interpolation": NOTATION,
        "JoinedStr": EXPRESSION,
        "Lambda": EXPRESSION,
        "List": EXPRESSION,
        "ListComp": LOWERED,
        "Name": EXPRESSION,
        "NamedExpr": EXPRESSION,
        "Set": EXPRESSION,
        "SetComp": EXPRESSION,
        "Slice": EXPRESSION,
        "Starred": EXPRESSION,
        "Subscript": EXPRESSION,
        "TemplateStr": _TEMPLATE,
        "Tuple": EXPRESSION,
        "UnaryOp": EXPRESSION,
        "Yield": _YIELD,
        "YieldFrom": _YIELD,
        # patterns
        "MatchAs": LOWERED,
        "MatchClass": LOWERED,
        "MatchMapping": LOWERED,
        "MatchOr": LOWERED,
        "MatchSequence": LOWERED,
        "MatchSingleton": LOWERED,
        "MatchStar": NOTATION,
        "MatchValue": LOWERED,
    }
)
"""By the name of the class in `ast`."""
