"""The one expression language of Ruvon: read, print, ask, check, compile."""

from ruvon.ir.expr._errors import ExpressionAccessError, ExpressionBudgetError, ExpressionError
from ruvon.ir.expr._nodes import *  # noqa: F403
from ruvon.ir.expr._parse import from_ast, link_names, parse
from ruvon.ir.expr._print import print_expr
from ruvon.ir.expr._walk import *  # noqa: F403
