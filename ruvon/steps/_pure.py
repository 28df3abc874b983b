"""ASSIGN, DECISION, RETURN, FAIL: actions without effect."""

from typing import Any, final

from ruvon.engine import (
    Chunks,
    Compiler,
    Exit,
    ExitKind,
    GraphFrame,
    Op,
    Outcome,
    Run,
    Strand,
    handled_error,
    record_error,
    validate,
)
from ruvon.ir._nodes import Assign, AssignOperation, Decision, Fail, Node, Return, Target
from ruvon.ir.expr import Compiled, Name

__all__ = ["AppendOp", "AssignOp", "DecisionOp", "FailOp", "ReturnOp", "assign_op"]


def assign_op(node: Node, action: Assign, compiler: Compiler) -> Op:
    """ASSIGN, by its operation."""
    if action.operation is AssignOperation.SET:
        return AssignOp(node, action, compiler)
    return AppendOp(node, action, compiler)


@final
class AssignOp(Op):
    """Evaluate an expression and assign it."""

    __slots__ = ("value", "write")

    def __init__(self, node: Node, action: Assign, compiler: Compiler) -> None:
        super().__init__(node)
        self.value = compiler.expr(action.value)
        write = compiler.target(action.target)
        if write is None:
            raise TypeError(f"`{node.id}` assigns to nothing")
        self.write = write

    def enter(self, run: Run, strand: Strand, frame: GraphFrame) -> Outcome:
        """Assign, and go on."""
        self.write(run, strand, self.value(run.env(strand)))
        return self.next


@final
class AppendOp(Op):
    """APPEND, EXTEND, UPDATE: a local list grows by encoded elements; anything else is read, grown and assigned."""

    __slots__ = ("name", "operation", "read", "value", "write")

    def __init__(self, node: Node, action: Assign, compiler: Compiler) -> None:
        super().__init__(node)
        self.operation = action.operation
        self.value = compiler.expr(action.value)
        self.read = compiler.expr(action.target)
        self.name = action.target.id if isinstance(action.target, Name) else None
        write = compiler.target(action.target)
        if write is None:
            raise TypeError(f"`{node.id}` grows nothing")
        self.write = write

    def enter(self, run: Run, strand: Strand, frame: GraphFrame) -> Outcome:
        """Grow the target, and go on."""
        env = run.env(strand)
        value = self.value(env)
        if self.operation is not AssignOperation.UPDATE and self.name is not None:
            items = [value] if self.operation is AssignOperation.APPEND else list(value)
            if self._append(run, strand, self.name, items):
                return self.next
        current = self.read(env)
        self.write(run, strand, self._grown(current, value))
        return self.next

    def _append(self, run: Run, strand: Strand, name: str, items: list[Any]) -> bool:
        """Append encoded elements, where the variable is a list whose bytes are a plain JSON list."""
        found = strand.scope.variables.get(name)
        if found is None or not (isinstance(found, Chunks) or found.startswith(b"[")):
            return False
        codec = run.program.types.variable(name)
        data = codec.encode(validate(codec.annotation, items, name), name)
        if not data.startswith(b"["):
            return False
        if len(data) > 2:
            strand.scope.append(name, [data[1:-1]])
        return True

    def _grown(self, current: Any, value: Any) -> Any:
        match self.operation:
            case AssignOperation.APPEND:
                return [*current, value]
            case AssignOperation.EXTEND:
                return [*current, *value]
            case AssignOperation.UPDATE | AssignOperation.SET:
                return {**current, **dict(value)}


@final
class DecisionOp(Op):
    """The first route whose condition is true, else the default."""

    __slots__ = ("default", "injected", "routes")

    def __init__(self, node: Node, action: Decision, compiler: Compiler) -> None:
        super().__init__(node)
        self.routes: tuple[tuple[Compiled, Target], ...] = tuple(
            (compiler.expr(route.condition), route.target) for route in action.routes
        )
        self.default = action.default
        self.injected = action.injected

    def enter(self, run: Run, strand: Strand, frame: GraphFrame) -> Outcome:
        """Decide."""
        env = run.env(strand)
        for condition, target in self.routes:
            if condition(env):
                if self.injected:
                    run.log("injected", self.id, frame.activation(self.id), note=target)
                return target
        return self.default


@final
class ReturnOp(Op):
    """End the branch or the workflow with a value."""

    __slots__ = ("value",)

    def __init__(self, node: Node, action: Return, compiler: Compiler) -> None:
        super().__init__(node)
        self.value = compiler.maybe(action.value)

    def enter(self, run: Run, strand: Strand, frame: GraphFrame) -> Outcome:
        """Leave with the value, validated against the declared result where it is the workflow's."""
        types = run.program.types
        value = self.value(run.env(strand)) if self.value is not None else None
        declared = types.definition.result
        if declared is not None and strand.fork is None:
            value = validate(types.annotation(declared), value, "the result")
        return Exit(ExitKind.RETURN, types.dynamic.encode(value, "the result"))


@final
class FailOp(Op):
    """Raise an error, or the handled one again."""

    __slots__ = ("cause", "error")

    def __init__(self, node: Node, action: Fail, compiler: Compiler) -> None:
        super().__init__(node)
        self.error = compiler.maybe(action.error)
        self.cause = compiler.maybe(action.cause)

    def enter(self, run: Run, strand: Strand, frame: GraphFrame) -> Outcome:
        """Leave with the error."""
        if self.error is None:
            handled = handled_error(strand)
            if handled is None:
                raise RuntimeError("No active exception to reraise")
            return Exit(ExitKind.FAIL, error=handled)
        env = run.env(strand)
        made = self.error(env)
        error = made() if isinstance(made, type) else made
        if not isinstance(error, BaseException):
            raise TypeError("exceptions must derive from BaseException")
        record = run.record_of(error, strand, self.id, frame.activation(self.id))
        handled = handled_error(strand)
        if self.cause is not None:
            cause = self.cause(env)
            if isinstance(cause, BaseException):
                record = record.caused_by(record_error(cause, run.program.types.dynamic))
        run.log("error", self.id, frame.activation(self.id), error=record.encode())
        return Exit(ExitKind.FAIL, error=record)
