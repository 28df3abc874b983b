"""Statements of a workflow body, written as Python."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, assert_never, final

from ruvon.ir._nodes import (
    END,
    Assign,
    AssignOperation,
    Branch,
    Call,
    Decision,
    Fail,
    Handler,
    Join,
    Loop,
    MergeConflict,
    Node,
    OnFailure,
    Parallel,
    Return,
    Start,
    Try,
    Wait,
)
from ruvon.ir._verify import single_effect
from ruvon.ir.expr import Binary, Comprehension, Const, Expr, Name, Tuple, print_expr
from ruvon_dsl.printing._imports import Imports, free_name
from ruvon_dsl.printing._layout import Piece, Pieces, call_of, flat, is_identifier, lay_out, quoted, soft
from ruvon_dsl.printing._python_calls import Calls
from ruvon_dsl.printing._python_rules import (
    augments,
    gathered,
    item_names,
    labelled,
    left_by,
    looks_counted,
    looks_shared,
    returned,
    without_implied_return,
)
from ruvon_dsl.printing._region import ends_run
from ruvon_dsl.printing._tree import Block, Choice, Exit, Flow, Go, Repeat, Single, Split, Statement, Trial

__all__ = ["Body", "Place"]

_INDENT: Final = "    "
_METHODS: Final = {AssignOperation.APPEND: "append", AssignOperation.EXTEND: "extend", AssignOperation.UPDATE: "update"}


@final
@dataclass(frozen=True, slots=True)
class Place:
    """Where a block stands."""

    depth: int = 1
    outermost: bool = True
    """In the graph of the workflow or of a branch, where a bare `return` is the edge END."""
    flows: tuple[tuple[str, frozenset[str]], ...] = ()
    """The flows around, innermost last: the name of the stage variable and the labels."""

    def deeper(self) -> "Place":
        """One level of indent further in."""
        return replace(self, depth=self.depth + 1)

    def inside(self) -> "Place":
        """In a graph of a TRY."""
        return replace(self, depth=self.depth + 1, outermost=False)


@final
class Body:
    """Writes blocks; one for the whole definition."""

    def __init__(
        self,
        calls: Calls,
        imports: Imports,
        *,
        explicit: Collection[str],
        names: Iterable[str],
        variables: Mapping[str, str],
        annotated: Collection[str],
        routes: Collection[str],
        automatic: bool,
    ) -> None:
        self._routes = routes
        """DECISIONs that take the `automate_next` of the effect before them where they are not named."""
        self._calls = calls
        self._imports = imports
        self._explicit = explicit
        self._locals = set(names)
        """All names of the body, which helpers (stage variables, nested functions) must not take."""
        self._variables = variables
        self._annotated = set(annotated)
        self._automatic = automatic
        """The workflow's `automate_next`, which nodes print only where they differ."""

    def undeclared(self) -> list[tuple[str, str]]:
        """The variables with their types that no statement so far could declare; ask when the body is written."""
        return [(name, self._variables[name]) for name in sorted(self._annotated)]

    # --- blocks -------------------------------------------------------------------------------------------------------

    def block(self, block: Block, place: Place) -> list[str]:
        """The lines of a block; an empty one is `pass`."""
        lines = [line for statement in block for line in self.statement(statement, place)]
        return lines or [f"{_INDENT * place.depth}pass"]

    def statement(self, statement: Statement, place: Place) -> list[str]:
        """The lines of one statement."""
        match statement:
            case Single(node=node):
                return self._single(node, place)
            case Choice():
                return self._choice(statement, place)
            case Repeat():
                return self._repeat(statement, place)
            case Split():
                return self._split(statement, place)
            case Trial():
                return self._trial(statement, place)
            case Exit(target=target, leaves=leaves):
                return [_INDENT * place.depth + self._exit(target, place, leaves=leaves)]
            case Go(label=label):
                at = next(name for name, labels in reversed(place.flows) if label in labels)
                return [f"{_INDENT * place.depth}{at}.go({quoted(label)})"]
            case Flow():
                return self._flow(statement, place)
            case _:
                assert_never(statement)

    def _exit(self, target: str, place: Place, *, leaves: bool) -> str:
        if leaves:
            return "return" if target == END else target.lower()
        at, _ = place.flows[-1 if target == END else 0]
        return f"{at}.go({self._imports.ours(target)})"

    # --- names and options of a statement -----------------------------------------------------------------------------

    def _options(self, node: Node) -> dict[str, Piece]:
        """Name and `automate_next` where they have to be written."""
        options: dict[str, Piece] = {}
        if node.id in self._explicit:
            options["name"] = quoted(node.id)
        inherits = node.id in self._routes and node.id not in self._explicit
        usual = self._calls.usual(node, automatic=self._automatic)
        if node.automate_next is not None and not inherits and node.automate_next != usual:
            options["automate_next"] = str(node.automate_next)
        return options

    def _node_line(self, node: Node, place: Place, more: Mapping[str, Piece] | None = None) -> list[str]:
        """`node("Name", ...)` in front of a statement, where there is anything to say."""
        options = {**self._options(node), **(more or {})}
        if not options:
            return []
        options.pop("name", None)
        items: list[Piece] = [quoted(node.id)]
        items.extend(f"{key}={flat(item)}" for key, item in options.items())
        return lay_out("", call_of(self._imports.ours("node"), items), depth=place.depth)

    # --- single statements --------------------------------------------------------------------------------------------

    def _single(self, node: Node, place: Place) -> list[str]:
        match node.action:
            case Call(output=output) | Wait(output=output) | Start(output=output):
                return self._effect(node, output, place)
            case Assign() as assign:
                return [*self._node_line(node, place), *self._assign(assign, place)]
            case Return(value=value):
                return self._return(node, value, place)
            case Fail() as fail:
                return [*self._node_line(node, place), *self._fail(fail, place)]
            case _:
                raise AssertionError(node.action)

    def _return(self, node: Node, value: Expr | None, place: Place) -> list[str]:
        line = self._node_line(node, place)
        pad = _INDENT * place.depth
        if value is not None:
            return [*line, *lay_out("return ", self._calls.value(value), depth=place.depth)]
        if place.outermost and not line:
            line = [f"{pad}{self._imports.ours('node')}({quoted(node.id)})"]
        return [*line, f"{pad}return"]

    def _effect(self, node: Node, output: Expr | None, place: Place) -> list[str]:
        if ends_run(node):
            return [*self._node_line(node, place), *lay_out("", self._calls.restart(node), depth=place.depth)]
        awaitable = self._calls.effect(node, self._options(node))
        return lay_out(f"{self.target(output)}await ", awaitable, depth=place.depth)

    def target(self, output: Expr | None) -> str:
        """`target = ` with the variable's type where it has to be declared here."""
        if output is None:
            return ""
        self._calls.use(output)
        text = soft(print_expr(output, self._imports.names))
        if isinstance(output, Tuple) and len(output.items) > 1:
            text = text[1:-1]
        if isinstance(output, Name) and output.id in self._annotated:
            self._annotated.discard(output.id)
            return f"{text}: {self._imports.type(self._variables[output.id])} = "
        return f"{text} = "

    def _assign(self, assign: Assign, place: Place) -> list[str]:
        target = soft(print_expr(assign.target, self._imports.names))
        if assign.operation is not AssignOperation.SET:
            self._calls.use(assign.target)
            grown = call_of(f"{target}.{_METHODS[assign.operation]}", [self._calls.value(assign.value)])
            return lay_out("", grown, depth=place.depth)
        match assign.value:
            case Binary(op=op, left=left, right=right) if left == assign.target and augments(op, left, right):
                self._calls.use(assign.target)
                return lay_out(f"{target} {op}= ", self._calls.value(right), depth=place.depth)
            case _:
                return lay_out(self.target(assign.target), self._calls.value(assign.value), depth=place.depth)

    def _fail(self, fail: Fail, place: Place) -> list[str]:
        if fail.error is None:
            return [f"{_INDENT * place.depth}raise"]
        cause = "" if fail.cause is None else f" from {flat(self._calls.value(fail.cause))}"
        return lay_out("raise ", self._calls.value(fail.error), cause, depth=place.depth)

    # --- compound statements ------------------------------------------------------------------------------------------

    def _condition(self, expr: Expr) -> str:
        return flat(self._calls.value(expr))

    def _choice(self, choice: Choice, place: Place) -> list[str]:
        action = choice.node.action
        assert isinstance(action, Decision)  # noqa: S101  # the structuring pass made it so
        pad = _INDENT * place.depth
        lines = self._node_line(choice.node, place, {"injected": "True"} if action.injected else None)
        if not action.routes:
            only = self.block(choice.default, replace(place, depth=place.depth + 2))
            return [*lines, f"{pad}match state:", f"{pad}{_INDENT}case _:", *only]
        word = "if"
        for route, arm in zip(action.routes, choice.arms, strict=True):
            lines.extend([f"{pad}{word} {self._condition(route.condition)}:", *self.block(arm, place.deeper())])
            word = "elif"
        if choice.default:
            lines.extend([f"{pad}else:", *self.block(choice.default, place.deeper())])
        return lines

    def _repeat(self, repeat: Repeat, place: Place) -> list[str]:
        loop = repeat.node.action
        assert isinstance(loop, Loop)  # noqa: S101  # the structuring pass made it so
        limit: dict[str, Piece] = {} if loop.max_iterations is None else {"max_iterations": str(loop.max_iterations)}
        lines = self._node_line(repeat.node, place, limit)
        pad = _INDENT * place.depth
        if loop.collect:
            return [*lines, *self._collecting(loop, place)]
        if loop.over is None:
            head = f"while {self._condition(loop.condition or Const(True))}:"
        else:
            head = f"for {self._items(loop.item, loop.index, loop.over)} in {self._over(loop.over, loop.index)}:"
        inner = Place(place.depth + 1, outermost=False)
        lines.extend([f"{pad}{head}", *self.block(repeat.body, inner)])
        if repeat.otherwise is not None:
            lines.extend([f"{pad}else:", *self.block(repeat.otherwise, place.deeper())])
        return lines

    def _collecting(self, loop: Loop, place: Place) -> list[str]:
        node = single_effect(loop.body)
        assert node is not None  # noqa: S101  # the verifier requires it
        if loop.over is None:
            head = f"while {self._condition(loop.condition or Const(True))}"
            clause = f" {head}"
        else:
            clause = self._clause(loop.over, loop.item, loop.index)
        item = Pieces("await ", (), "")
        awaitable = self._calls.effect(node, self._options(node))
        text = f"{item.head}{flat(awaitable)}{clause}"
        return lay_out(self.target(loop.output), Pieces("", (text,), "[]"), depth=place.depth)

    def _items(self, item: Expr | None, index: str | None, over: Expr) -> str:
        text = "_" if item is None else print_expr(item)
        if index is not None:
            return f"{index}, {text}"
        if not isinstance(item, Tuple) or len(item.items) < 2:
            return text
        return f"[{text[1:-1]}]" if looks_counted(item, over) else text[1:-1]

    def _over(self, over: Expr, index: str | None) -> str:
        text = flat(self._calls.value(over))
        return f"enumerate({text})" if index is not None else text

    def _clause(self, over: Expr, item: Expr | None, index: str | None) -> str:
        """` for x in xs if c`; the filter of `over` is written behind."""
        match over:
            case Comprehension(kind="list", element=element, clauses=(clause,)) if (
                index is None and element == item == clause.target and clause.tests
            ):
                tests = "".join(f" if {self._operand(test)}" for test in clause.tests)
                return f" for {self._items(item, None, Const(None))} in {self._operand(clause.over)}{tests}"
            case _:
                text = self._operand(over) if index is None else self._over(over, index)
                return f" for {self._items(item, index, over)} in {text}"

    def _operand(self, expr: Expr) -> str:
        text = flat(self._calls.value(expr))
        return f"({text})" if type(expr).__name__ in {"Conditional", "Comprehension"} and text[0] not in "[{(" else text

    def _trial(self, trial: Trial, place: Place) -> list[str]:
        attempt = trial.node.action
        assert isinstance(attempt, Try)  # noqa: S101  # the structuring pass made it so
        pad = _INDENT * place.depth
        lines = self._node_line(trial.node, place)
        inner = place.inside()
        if attempt.saga:
            return [*lines, f"{pad}async with {self._imports.ours('saga')}():", *self.block(trial.body, inner)]
        lines.extend([f"{pad}try:", *self.block(trial.body, inner)])
        for handler, block in zip(attempt.handlers, trial.handlers, strict=True):
            lines.extend([f"{pad}except {self._classes(handler)}:", *self.block(block, inner)])
        if trial.otherwise is not None:
            lines.extend([f"{pad}else:", *self.block(trial.otherwise, place.deeper())])
        if trial.final is not None:
            lines.extend([f"{pad}finally:", *self.block(trial.final, replace(inner, flows=()))])
        return lines

    def _classes(self, handler: Handler) -> str:
        names = [self._imports.path(path) for path in handler.classes]
        text = names[0] if len(names) == 1 else f"({', '.join(names)})"
        return text if handler.name is None else f"{text} as {handler.name}"

    # --- concurrency --------------------------------------------------------------------------------------------------

    def _split(self, split: Split, place: Place) -> list[str]:
        parallel = split.node.action
        assert isinstance(parallel, Parallel)  # noqa: S101  # the structuring pass made it so
        functions: list[str] = []
        if parallel.body is not None:
            items = [self._mapped(parallel, split, functions, place)]
            output = parallel.output
        else:
            own = labelled(parallel, self._explicit)
            items = [
                self._branch(branch, block, functions, place, own=branch.label in own)
                for branch, block in zip(parallel.branches, split.branches, strict=True)
            ]
            output = gathered(parallel)
        race = parallel.join is Join.FIRST
        items.extend(self._gather_options(parallel))
        head = call_of(self._imports.ours("first_of" if race else "gather"), items)
        prefix = self.target(output)
        if not race and output is parallel.output and looks_shared(parallel):
            prefix = f"[{prefix.removesuffix(' = ')}] = "
        return [*functions, *self._node_line(split.node, place), *lay_out(f"{prefix}await ", head, depth=place.depth)]

    def _gather_options(self, parallel: Parallel) -> list[Piece]:
        items: list[Piece] = []
        if parallel.limit is not None:
            items.append(self._calls.value(parallel.limit, "limit="))
        if parallel.batch_size is not None:
            items.append(self._calls.value(parallel.batch_size, "batch_size="))
        if parallel.on_failure is OnFailure.COLLECT:
            items.append("partial=True")
        if parallel.tolerate is not None:
            items.append(self._calls.value(parallel.tolerate, "tolerate="))
        merge = self._calls.merge(parallel.merge, MergeConflict.RAISE_ERROR)
        items.extend(f"{key}={flat(item)}" for key, item in merge.items())
        if parallel.timeout_us is not None:
            items.append(f"timeout={flat(self._calls.duration(parallel.timeout_us))}")
        return items

    def _branch(self, branch: Branch, block: Block, functions: list[str], place: Place, *, own: bool) -> Piece:
        node = single_effect(branch.graph)
        if node is not None:
            work, derived = self._calls.effect(node, self._options(node)), node.id
        else:
            fits = is_identifier(branch.label) and branch.label not in self._locals
            derived = branch.label if fits else free_name("branch", self._locals)
            self._locals.add(derived)
            functions.extend(self._function(derived, "", block, place))
            work = call_of(derived, [])
        after = [quoted(label) for label in branch.after]
        if branch.won:
            work = call_of(self._imports.ours("named"), [quoted(branch.label), work])
        elif own or branch.label != derived:
            after.append(f"label={quoted(branch.label)}")
        return call_of(self._imports.ours("after"), [work, *after]) if after else work

    def _mapped(self, parallel: Parallel, split: Split, functions: list[str], place: Place) -> Piece:
        assert parallel.body is not None  # noqa: S101  # the caller asked
        assert parallel.over is not None  # noqa: S101  # the verifier requires it
        node = single_effect(parallel.body)
        if node is not None:
            work = flat(self._calls.effect(node, self._options(node)))
        else:
            name = free_name("each", self._locals)
            self._locals.add(name)
            names = [*([parallel.index] if parallel.index else []), *item_names(parallel.item)]
            parameters = ", ".join(self._parameter(item) for item in names)
            functions.extend(self._function(name, parameters, split.body or (), place))
            work = f"{name}({', '.join(names)})"
        return Pieces("*", (f"{work}{self._clause(parallel.over, parallel.item, parallel.index)}",))

    def _parameter(self, name: str) -> str:
        known = self._variables.get(name)
        return name if known is None else f"{name}: {self._imports.type(known)}"

    def _function(self, name: str, parameters: str, block: Block, place: Place) -> list[str]:
        pad = _INDENT * place.depth
        inner = Place(place.depth + 1)
        shown = without_implied_return(block, self._explicit)
        return ["", f"{pad}async def {name}({parameters}){self._returns(block)}:", *self.block(shown, inner), ""]

    def _returns(self, block: Block) -> str:
        values = list(returned(block))
        if not values or all(value is None for value in values):
            return " -> None"
        types = {self._variables.get(value.id) if isinstance(value, Name) else None for value in values}
        (only,) = types if len(types) == 1 else (None,)
        return "" if only is None else f" -> {self._imports.type(only)}"

    # --- flows --------------------------------------------------------------------------------------------------------

    def _flow(self, flow: Flow, place: Place) -> list[str]:
        at = free_name("at", self._locals)
        self._locals.add(at)
        pad = _INDENT * place.depth
        labels = frozenset(stage.label for stage in flow.stages)
        inner = Place(place.depth + 3, place.outermost, (*place.flows, (at, labels)))
        entry = quoted(flow.stages[0].label)
        lines = [f"{pad}async for {at} in {self._imports.ours('flow')}({entry}):", f"{pad}{_INDENT}match {at}.step:"]
        for stage in flow.stages:
            lines.extend([f"{pad}{_INDENT * 2}case {quoted(stage.label)}:", *self.block(stage.block, inner)])
        for target in sorted(left_by(flow)) if not place.flows else ():
            lines.extend([f"{pad}if {at}.left({self._imports.ours(target)}):", f"{pad}{_INDENT}{target.lower()}"])
        return lines
