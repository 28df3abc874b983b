"""Compound statements to the surface, and the functions that hold them."""

import libcst as cst

from ruvon.ir._spans import Span
from ruvon_dsl.python import _codes as codes
from ruvon_dsl.python._names import Names
from ruvon_dsl.python._parse_patterns import read_pattern
from ruvon_dsl.python._parse_statements import read_small, read_target, refuse, target_names
from ruvon_dsl.python._parse_values import read_dotted, read_text, read_value
from ruvon_dsl.python._source import Source
from ruvon_dsl.python._surface import (
    Block,
    Branching,
    Case,
    Catch,
    Dotted,
    Entering,
    FlowLoop,
    ForLoop,
    Function,
    Matching,
    Parameter,
    Refused,
    Statement,
    Trying,
    Value,
    WhileLoop,
)

__all__ = ["BlockReader"]


class BlockReader:
    """Reads blocks of one module.

    Args:
        source: The module.
        names: What its imports mean; needed to tell `flow` from any other asynchronous loop.
    """

    def __init__(self, source: Source, names: Names) -> None:
        self.source = source
        self.names = names

    def block(self, node: cst.BaseSuite) -> Block:
        """A suite, on lines of its own or behind the colon."""
        found: list[Statement] = []
        for item in node.body:
            match item:
                case cst.SimpleStatementLine(body=body):
                    found.extend(read_small(self.source, small) for small in body)
                case cst.BaseCompoundStatement():
                    found.append(self._compound(item))
                case cst.BaseSmallStatement():
                    found.append(read_small(self.source, item))
                case _:
                    continue
        return Block(tuple(found), self.source.span(node))

    def function(self, node: cst.FunctionDef) -> Function:
        """A function with its body; the shape of its parameters is checked by the caller."""
        parameters = [*node.params.posonly_params, *node.params.params, *node.params.kwonly_params]
        returns = None if node.returns is None else node.returns.annotation
        return Function(
            node.name.value,
            tuple(self._parameter(item) for item in parameters),
            None if returns is None else read_dotted(self.source, returns) or read_text(self.source, returns),
            self.block(node.body),
            self.source.header(node, node.name),
        )

    def _parameter(self, item: cst.Param) -> Parameter:
        annotation = None if item.annotation is None else item.annotation.annotation
        read = (
            None if annotation is None else read_dotted(self.source, annotation) or read_text(self.source, annotation)
        )
        return Parameter(item.name.value, read, self.source.span(item.name))

    def _compound(self, node: cst.BaseCompoundStatement) -> Statement:
        match node:
            case cst.If():
                return self._if(node)
            case cst.For():
                return self._for(node)
            case cst.While():
                span = self.source.header(node, node.test)
                body, orelse = self.block(node.body), self._else(node.orelse)
                return WhileLoop(read_value(self.source, node.test), body, orelse, span)
            case cst.Match():
                return self._match(node)
            case cst.Try():
                return self._try(node)
            case cst.With():
                return self._with(node)
            case cst.FunctionDef():
                return self._nested(node)
            case _:
                return refuse(self.source, node, self.source.header(node))

    def _else(self, node: cst.Else | None) -> Block | None:
        return None if node is None else self.block(node.body)

    def _if(self, node: cst.If) -> Statement:
        arms: list[tuple[Value, Block]] = []
        current: cst.If = node
        while True:
            arms.append((read_value(self.source, current.test), self.block(current.body)))
            match current.orelse:
                case cst.If() as following:
                    current = following
                case cst.Else() as last:
                    return Branching(tuple(arms), self.block(last.body), self.source.header(node, node.test))
                case _:
                    return Branching(tuple(arms), None, self.source.header(node, node.test))

    def _for(self, node: cst.For) -> Statement:
        span = self.source.header(node, node.iter)
        if node.asynchronous is not None:
            return self._flow(node, span)
        target = read_target(self.source, node.target)
        over = read_value(self.source, node.iter)
        body, orelse = self.block(node.body), self._else(node.orelse)
        if target is None:
            return Refused(span, target_names(node.target))
        return ForLoop(target, over, body, orelse, span)

    def _match(self, node: cst.Match) -> Statement:
        cases = tuple(
            Case(
                read_pattern(self.source, case.pattern),
                None if case.guard is None else read_value(self.source, case.guard),
                self.block(case.body),
                self.source.header(case, case.guard or case.pattern),
            )
            for case in node.cases
        )
        return Matching(read_value(self.source, node.subject), cases, self.source.header(node, node.subject))

    def _try(self, node: cst.Try) -> Statement:
        span = Span.at(self.source.file, *_start(self.source.span(node)), *_end_of_word(self.source.span(node), 3))
        catches = tuple(self._catch(item) for item in node.handlers)
        final = None if node.finalbody is None else self.block(node.finalbody.body)
        return Trying(self.block(node.body), catches, self._else(node.orelse), final, span)

    def _catch(self, node: cst.ExceptHandler) -> Catch:
        span = self.source.header(node, node.name or node.type)
        name = node.name.name.value if node.name is not None and isinstance(node.name.name, cst.Name) else None
        classes: list[Dotted] = []
        if node.type is None:
            self.source.findings.error(
                codes.BARE_EXCEPT,
                "a bare `except` would also catch cancellation and the engine's own limits",
                span,
                help="write `except Exception:`",
            )
        for item in _classes(node.type):
            found = read_dotted(self.source, item)
            if found is None:
                self.source.findings.error(
                    codes.EXCEPT_CLASS,
                    f"`{self.source.slice(self.source.span(item))}` is not the name of an exception class",
                    self.source.span(item),
                    help="name the classes: `except (NotFound, TimeoutError):`",
                    reason="a stored definition holds the classes by their paths",
                )
            else:
                classes.append(found)
        return Catch(tuple(classes), name, self.block(node.body), span)

    def _with(self, node: cst.With) -> Statement:
        span = self.source.header(node, node.items[-1])
        single = node.items[0] if len(node.items) == 1 else None
        body = self.block(node.body)
        if node.asynchronous is None or single is None or single.asname is not None:
            self.source.findings.error(
                codes.WITH,
                "the only context of a workflow is `async with saga():`",
                span,
                help="do the work of the context in a step, or use try/finally with steps",
                reason="what a context manager holds in memory is gone after a crash",
            )
            names = [item.asname.name for item in node.items if item.asname is not None]
            return Refused(span, tuple(name for item in names for name in target_names(item)))
        return Entering(read_value(self.source, single.item), body, span)

    def _nested(self, node: cst.FunctionDef) -> Statement:
        span = self.source.header(node, node.name)
        if node.asynchronous is None:
            self.source.findings.error(
                codes.PLAIN_FUNCTION,
                f"the function `{node.name.value}` cannot be defined inside a workflow",
                span,
                help="move it to the module and mark it @pure, or make it an `async def` that a `gather` runs as a branch",
            )
            return Refused(span, (node.name.value,))
        if node.decorators:
            self.source.findings.error(
                codes.DECORATED,
                f"the branch `{node.name.value}` has a decorator",
                self.source.span(node.decorators[0]),
                help="a branch is a plain `async def`",
            )
        self.check_parameters(node, "branch")
        return self.function(node)

    def check_parameters(self, node: cst.FunctionDef, what: str) -> None:
        """Report defaults and star parameters of a branch or workflow."""
        params = node.params
        for item in [*params.posonly_params, *params.params, *params.kwonly_params]:
            if item.default is not None:
                self.source.findings.error(
                    codes.DEFAULT_ARGUMENT,
                    f"the parameter `{item.name.value}` of the {what} has a default",
                    self.source.span(item.name).to(self.source.span(item.default)),
                    help="put the default into the state's class, or pass the value",
                )
        stars = [item for item in (params.star_arg, params.star_kwarg) if isinstance(item, cst.Param)]
        for item in stars:
            self.source.findings.error(
                codes.STAR_PARAMETER,
                f"the {what} takes any number of arguments with `{item.name.value}`",
                self.source.span(item.name),
                help="name the parameters",
            )

    def _flow(self, node: cst.For, span: Span) -> Statement:
        over = node.iter
        callee = read_dotted(self.source, over.func) if isinstance(over, cst.Call) else None
        if callee is None or self.names.ruvon(callee.parts) != "flow" or not isinstance(node.target, cst.Name):
            self.source.findings.error(
                codes.ASYNC_FOR,
                "`async for` stands only before `flow(...)`",
                span,
                help="collect the items in a step and loop over them with `for`",
            )
            return Refused(span, target_names(node.target))
        assert isinstance(over, cst.Call)  # noqa: S101 - narrows; `callee` says so
        entry = _literal(over.args[0].value) if len(over.args) == 1 else None
        stages = self._stages(node, node.target.value)
        if entry is None or stages is None or node.orelse is not None:
            self.source.findings.error(
                codes.FLOW,
                "a flow is one `match` over its stages and nothing else",
                span,
                help=(
                    'write `async for at in flow("First"):` with one `match at.step:` whose cases are the names of the '
                    "stages as literal texts"
                ),
            )
            return Refused(span)
        return FlowLoop(node.target.value, entry, stages, span)

    def _stages(self, node: cst.For, name: str) -> tuple[tuple[str, Block, Span], ...] | None:
        body = [item for item in node.body.body if not _is_text(item)]
        inner = body[0] if len(body) == 1 else None
        if not isinstance(inner, cst.Match):
            return None
        subject = read_dotted(self.source, inner.subject)
        if subject is None or subject.parts != (name, "step"):
            return None
        stages: list[tuple[str, Block, Span]] = []
        for case in inner.cases:
            label = _literal(case.pattern.value) if isinstance(case.pattern, cst.MatchValue) else None
            if label is None or case.guard is not None:
                return None
            stages.append((label, self.block(case.body), self.source.header(case, case.pattern)))
        return tuple(stages)


def _classes(node: cst.BaseExpression | None) -> list[cst.BaseExpression]:
    if isinstance(node, cst.Tuple):
        return [item.value for item in node.elements]
    return [] if node is None else [node]


def _literal(node: cst.BaseExpression) -> str | None:
    value = node.evaluated_value if isinstance(node, cst.SimpleString) else None
    return value if isinstance(value, str) else None


def _is_text(item: cst.CSTNode) -> bool:
    if not isinstance(item, cst.SimpleStatementLine) or len(item.body) != 1:
        return False
    only = item.body[0]
    return isinstance(only, cst.Expr) and isinstance(only.value, cst.SimpleString)


def _start(span: Span) -> tuple[int, int]:
    return span.start.line, span.start.column


def _end_of_word(span: Span, length: int) -> tuple[int, int]:
    return span.start.line, span.start.column + length
