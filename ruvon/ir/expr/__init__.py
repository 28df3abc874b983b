"""The one expression language of Ruvon: read, print, ask, rewrite, check and run.

A closed, side-effect-free subset of Python's expressions with Python's semantics, used by conditions, inputs and
templates of both front ends and by the `SimpleExpressionEvaluator`. There is no second expression language.
"""

from ruvon.ir.expr._budget import Budget
from ruvon.ir.expr._check import check, expect
from ruvon.ir.expr._codes import CODES
from ruvon.ir.expr._compile import Compiled, compile_expr
from ruvon.ir.expr._environment import DataView, Environment, Recorder
from ruvon.ir.expr._errors import ExpressionAccessError, ExpressionBudgetError, ExpressionError
from ruvon.ir.expr._evaluate import evaluate
from ruvon.ir.expr._language import DEFINITION_PATHS, FUNCTION_NAMES
from ruvon.ir.expr._nodes import (
    BINARY_OPERATORS,
    COMPARE_OPERATORS,
    UNARY_OPERATORS,
    Attribute,
    Binary,
    Boolean,
    Call,
    Clause,
    Compare,
    Comprehension,
    Conditional,
    Const,
    ConstValue,
    Dict,
    DictComprehension,
    DictItem,
    Expr,
    FormatPart,
    FormatString,
    Keyword,
    List,
    Name,
    Ref,
    Set,
    Slice,
    Starred,
    Subscript,
    Tuple,
    Unary,
)
from ruvon.ir.expr._parse import from_ast, link_names, parse
from ruvon.ir.expr._print import print_expr
from ruvon.ir.expr._rules import check_rules
from ruvon.ir.expr._type_env import Checked, TypeEnv
from ruvon.ir.expr._types import describe, fits
from ruvon.ir.expr._walk import (
    attribute_paths,
    bound_names,
    children,
    dotted,
    free_names,
    impure_calls,
    is_target,
    names,
    rebuild,
    refs,
    substitute,
    transform,
    walk,
)

__all__ = [
    "BINARY_OPERATORS",
    "CODES",
    "COMPARE_OPERATORS",
    "DEFINITION_PATHS",
    "FUNCTION_NAMES",
    "UNARY_OPERATORS",
    "Attribute",
    "Binary",
    "Boolean",
    "Budget",
    "Call",
    "Checked",
    "Clause",
    "Compare",
    "Compiled",
    "Comprehension",
    "Conditional",
    "Const",
    "ConstValue",
    "DataView",
    "Dict",
    "DictComprehension",
    "DictItem",
    "Environment",
    "Expr",
    "ExpressionAccessError",
    "ExpressionBudgetError",
    "ExpressionError",
    "FormatPart",
    "FormatString",
    "Keyword",
    "List",
    "Name",
    "Recorder",
    "Ref",
    "Set",
    "Slice",
    "Starred",
    "Subscript",
    "Tuple",
    "TypeEnv",
    "Unary",
    "attribute_paths",
    "bound_names",
    "check",
    "check_rules",
    "children",
    "compile_expr",
    "describe",
    "dotted",
    "evaluate",
    "expect",
    "fits",
    "free_names",
    "from_ast",
    "impure_calls",
    "is_target",
    "link_names",
    "names",
    "parse",
    "print_expr",
    "rebuild",
    "refs",
    "substitute",
    "transform",
    "walk",
]
