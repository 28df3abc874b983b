"""Lists of steps as nodes and edges: the order of the list, routes, jumps, injected steps and `on_error`.

Every edge of the graph is explicit. A list is lowered with the target that follows it (`Place.after`), so nested lists of
routes join by themselves; each step is lowered from its end to its beginning, because an edge needs what it leads to.
"""

from typing import final

from ruvon.ir._nodes import END, Action, Compensation, Decision, Graph, Handler, Merge, Parallel, Route, Target, Try
from ruvon.ir._nodes import Branch as BranchNode
from ruvon.ir.expr import ExpressionError, parse
from ruvon.ir.expr import _nodes as e
from ruvon.ir.expr._nodes import Expr
from ruvon_dsl.yaml import _codes as codes
from ruvon_dsl.yaml._blocks import lower_loop, lower_parallel, lower_try
from ruvon_dsl.yaml._calls import lower_call, lower_http, lower_model_call
from ruvon_dsl.yaml._context import FileContext
from ruvon_dsl.yaml._dependencies import Unit, has_dependencies, plan
from ruvon_dsl.yaml._ends import lower_assign, lower_fail, lower_return
from ruvon_dsl.yaml._findings import Findings
from ruvon_dsl.yaml._graphs import Place, Scope, ScopeKind, loop_exit, own_items
from ruvon_dsl.yaml._naming import known_name
from ruvon_dsl.yaml._starts import lower_start
from ruvon_dsl.yaml._tree import Arm, Block, Exit, Item, Jump, RuleItem
from ruvon_dsl.yaml._values import ScalarNode
from ruvon_dsl.yaml._waits import lower_human, lower_receive, lower_sleep

__all__ = ["Lowering"]
