"""Every kind of Python's grammar has a decided fate; an undecided one fails here."""

import ast
import inspect

import libcst as cst
import pytest

from ruvon_dsl.python._codes import CODES
from ruvon_dsl.python._fates import AST_FATES, CST_FATES, Fate

_NOT_KINDS = {"MatchPattern", "TypeAlias"}


def cst_kinds() -> set[str]:
    """The concrete statements, expressions and patterns of libcst."""
    bases = (cst.BaseSmallStatement, cst.BaseCompoundStatement, cst.BaseExpression, cst.MatchPattern)
    return {
        name
        for name, kind in vars(cst).items()
        if inspect.isclass(kind) and issubclass(kind, bases) and not name.startswith("Base") and name != "MatchPattern"
    }


def ast_kinds() -> set[str]:
    """The statements, expressions and patterns of `ast` that are not deprecated aliases."""
    old = {"Num", "Str", "Bytes", "NameConstant", "Ellipsis"}
    return {
        name
        for name, kind in vars(ast).items()
        if inspect.isclass(kind)
        and issubclass(kind, ast.stmt | ast.expr | ast.pattern)
        and kind not in {ast.stmt, ast.expr, ast.pattern}
        and name not in old
    }


def test_every_libcst_kind_is_decided() -> None:
    """No kind of libcst is missing in the table."""
    assert cst_kinds() - CST_FATES.keys() == set()


def test_every_ast_kind_is_decided() -> None:
    """No kind of `ast` is missing in the table."""
    assert ast_kinds() - AST_FATES.keys() == set()


def test_the_tables_agree() -> None:
    """A kind that both libraries know under one name has one fate."""
    shared = CST_FATES.keys() & AST_FATES.keys() - _NOT_KINDS

    assert {name for name in shared if CST_FATES[name].code != AST_FATES[name].code} == set()


@pytest.mark.parametrize("fate", [*CST_FATES.values(), *AST_FATES.values()])
def test_a_refused_kind_has_code_and_rewrite(fate: Fate) -> None:
    """What is refused says what to write instead, under a code with a page."""
    if fate.kind == "refused":
        assert fate.code in CODES
        assert fate.message
        assert fate.help
    else:
        assert fate.code == ""
