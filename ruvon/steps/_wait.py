"""WAIT: for a moment, a signal, or a person."""

from datetime import datetime, timedelta
from typing import Any, cast, final

from ruvon.engine import (
    ENTERED,
    WAITS,
    Arrival,
    Compiler,
    EffectOp,
    Expired,
    Function,
    Given,
    GraphFrame,
    InputSpec,
    Outcome,
    Run,
    Strand,
    WaitKind,
    WaitState,
    fail,
    fields_of,
    finish_node,
    record_step,
    saga_bytes,
)
from ruvon.engine._effects import Message
from ruvon.ir._nodes import HumanSource, Node, SignalSource, TimerSource, Wait
from ruvon.models import Elapsed, TimedOut
from ruvon.providers import duration_us, microseconds_of
from ruvon.steps._attempt import BodyOp, Work
from ruvon.steps._call import arguments_of
from ruvon.steps._record import wait_behind

__all__ = ["HumanOp", "SignalOp", "TimerOp"]


class WaitOp(EffectOp):
    """What all waits share: the timeout, the result, the record."""

    __slots__ = ("compensator", "on_timeout", "output", "timeout")

    def __init__(self, node: Node, action: Wait, compiler: Compiler) -> None:
        super().__init__(node)
        self.output = compiler.target(action.output)
        self.timeout = compiler.maybe(action.timeout)
        self.on_timeout = compiler.maybe(action.on_timeout)
        self.compensator = compiler.compensator(action.compensation)

    def due(self, run: Run, strand: Strand) -> int | None:
        """When the wait gives up."""
        if self.timeout is None:
            return None
        limit = self.timeout(run.env(strand))
        return run.now_us() + duration_us(cast("timedelta", limit)) if limit is not None else None

    def complete(self, run: Run, strand: Strand, frame: GraphFrame, value: object, note: str = "") -> Outcome:
        """Record the result, bind it, and go on."""
        strand.wait = None
        encoded = run.program.types.dynamic.encode(value, f"the result of {self.title}")
        saga = saga_bytes({}) if self.compensator is not None else None
        record_step(run, strand, frame, self.id, encoded, kind="wait", note=note, saga=saga)
        if run.notices is not None and note != "expired":
            run.notices.resumed(self.id, value)
        if self.output is not None:
            self.output(run, strand, value)
        return self.next

    def expired(self, run: Run, strand: Strand, frame: GraphFrame) -> Outcome:
        """The timeout has passed: its value, or `TimedOut`."""
        if self.on_timeout is not None:
            return self.complete(run, strand, frame, self.on_timeout(run.env(strand)), "expired")
        strand.wait = None
        return fail(run, strand, frame, self.id, TimedOut(self.title))


@final
class TimerOp(WaitOp):
    """SLEEP: for a span, or until a moment."""

    __slots__ = ("duration", "until")

    def __init__(self, node: Node, action: Wait, source: TimerSource, compiler: Compiler) -> None:
        super().__init__(node, action, compiler)
        self.duration = compiler.maybe(source.duration)
        self.until = compiler.maybe(source.until)

    def enter(self, run: Run, strand: Strand, frame: GraphFrame) -> Outcome:
        """Set the timer."""
        env = run.env(strand)
        now = run.now_us()
        if self.duration is not None:
            due = now + duration_us(cast("timedelta", self.duration(env)))
        elif self.until is not None:
            due = microseconds_of(cast("datetime", self.until(env)))
        else:
            due = now
        if due <= now:
            return self.complete(run, strand, frame, Elapsed())
        strand.wait = WaitState(WaitKind.TIMER, frame.activation(self.id), self.id, due)
        return WAITS

    def arrive(self, run: Run, strand: Strand, frame: GraphFrame, arrival: Arrival) -> Outcome:
        """The moment has come."""
        return self.complete(run, strand, frame, Elapsed())


@final
class SignalOp(WaitOp):
    """RECEIVE: a typed message from the instance's mailbox."""

    __slots__ = ("key", "model")

    def __init__(self, node: Node, action: Wait, source: SignalSource, compiler: Compiler) -> None:
        super().__init__(node, action, compiler)
        self.model = source.model
        self.key = compiler.maybe(source.key)

    def enter(self, run: Run, strand: Strand, frame: GraphFrame) -> Outcome:
        """Wait, and take what lies in the mailbox already at the next look into the inbox."""
        key = self.key(run.env(strand)) if self.key is not None else None
        strand.wait = WaitState(
            WaitKind.SIGNAL,
            frame.activation(self.id),
            self.id,
            self.due(run, strand),
            name=self.model,
            key=str(key) if key is not None else None,
            since_us=run.now_us(),
        )
        return WAITS

    def arrive(self, run: Run, strand: Strand, frame: GraphFrame, arrival: Arrival) -> Outcome:
        """The message, or the timeout."""
        if isinstance(arrival, Message):
            value = run.program.types.codec(self.model).decode(arrival.payload)
            return self.complete(run, strand, frame, value)
        return self.expired(run, strand, frame)


@final
class HumanOp(BodyOp):
    """HUMAN_IN_LOOP: asks, waits, and hands the answer to its taker."""

    __slots__ = ("answer", "answer_args", "ask", "ask_args", "gives_on", "on_timeout", "source", "timeout", "words")

    def __init__(self, node: Node, action: Wait, source: HumanSource, compiler: Compiler) -> None:
        super().__init__(node)
        self.source = source
        self.output = compiler.target(action.output)
        self.timeout = compiler.maybe(action.timeout)
        self.on_timeout = compiler.maybe(action.on_timeout)
        self.compensator = compiler.compensator(action.compensation)
        self.merge = action.merge
        self.strict = compiler.definition.strict_results
        optional = {"task": source.task, "show": source.show, "role": source.role, "assignee": source.assignee}
        self.words = compiler.exprs({name: expr for name, expr in optional.items() if expr is not None})
        self.ask: Function | None = compiler.function(source.ask) if source.ask is not None else None
        self.ask_args = compiler.exprs({n: e for n, e in source.ask_args.items() if n != "state"})
        self.answer: Function | None = compiler.function(source.answer) if source.answer is not None else None
        self.answer_args = compiler.exprs({n: e for n, e in source.answer_args.items() if n != "state"})
        self.gives_on = source.answer_to == "next"
        form = compiler.annotation(source.form) if source.form is not None else None
        self.input = InputSpec(form, source.required_input)

    def enter(self, run: Run, strand: Strand, frame: GraphFrame) -> Outcome:
        """Ask, wait, or take the answer."""
        if strand.answered:
            return self._answered(run, strand, frame)
        strand.input = None
        if self.ask is not None and not strand.asked:
            self.uses(self.ask)
            self.merges = self.takes_state
            return self.attempt(run, strand, frame, arguments_of(run, strand, self.ask_args))
        return self._wait(run, strand, frame)

    def _wait(self, run: Run, strand: Strand, frame: GraphFrame) -> Outcome:
        strand.asked = False
        env = run.env(strand)
        words = {name: value(env) for name, value in self.words}
        due = None
        if self.timeout is not None:
            due = run.now_us() + duration_us(cast("timedelta", self.timeout(env)))
        strand.wait = WaitState(
            WaitKind.HUMAN,
            frame.activation(self.id),
            self.id,
            due,
            name=str(words.get("task", self.id)),
            show=run.shown(words),
            asked=True,
            revision=run.record.revision,
        )
        return WAITS

    def _answered(self, run: Run, strand: Strand, frame: GraphFrame) -> Outcome:
        answer, strand.input = strand.input, None
        name = f"@input/{frame.activation(self.id)}"
        if answer is None:
            stored = strand.scope.bytes_of(name)
            answer = run.program.types.dynamic.decode(stored) if stored is not None else None
        if self.answer is None:
            return self._take(run, strand, frame, answer)
        strand.scope.bind(name, run.program.types.dynamic.encode(answer, "the answer"))
        self.uses(self.answer)
        self.merges = True
        attempt = self.attempt(run, strand, frame, arguments_of(run, strand, self.answer_args))
        cast("Any", attempt).work.given = answer
        return attempt

    def _take(self, run: Run, strand: Strand, frame: GraphFrame, answer: object) -> Outcome:
        """No function takes the answer: it is bound, or merges where nothing binds it."""
        strand.answered = False
        encoded = run.program.types.dynamic.encode(answer, "the answer")
        saga = saga_bytes({}) if self.compensator is not None else None
        record_step(run, strand, frame, self.id, encoded, kind="wait", saga=saga)
        strand.scope.unbind(f"@input/{frame.activation(self.id)}")
        if self.output is not None:
            self.output(run, strand, answer)
        elif self.source.form is None and isinstance(answer, dict):
            scope = strand.scope
            data = cast("dict[str, object]", answer)
            scope.write_state(run.program.types.state.apply(None, scope.fields, data, self.id, strict=False))
        return self.next

    def call(self, run: Run, work: Work) -> Any:
        """Call the function that asks, or that takes the answer."""
        function = self.ask if work.given is None else self.answer
        if function is None:
            raise TypeError(f"`{self.id}` has no function")
        arguments = dict(work.arguments)
        if work.given is not None:
            arguments |= {
                name: value
                for name, value in fields_of(work.given).items()
                if (name in function.names or function.takes_rest) and name not in arguments
            }
        if function.takes_state:
            arguments["state"] = work.view
        if function.takes_context:
            arguments["context"] = work.context
        return function.returned(function.call(**arguments), self.title)

    def completed(self, run: Run, strand: Strand, frame: GraphFrame, result: object) -> None:
        """The asking function has returned: wait. The answering one has: go on."""
        if strand.was_answered:
            strand.was_answered = False
            finish_node(run, frame, self, self.next)
        elif self.gives_on:
            finish_node(run, frame, self, self.next)
            wait_behind(run, strand)
        else:
            strand.asked = True

    def arrive(self, run: Run, strand: Strand, frame: GraphFrame, arrival: Arrival) -> Outcome:
        """The answer, or the timeout."""
        strand.wait = None
        if isinstance(arrival, Expired):
            if self.on_timeout is None:
                return fail(run, strand, frame, self.id, TimedOut(self.title))
            return self._take(run, strand, frame, self.on_timeout(run.env(strand)))
        if isinstance(arrival, Given):
            strand.input = arrival.value
            strand.answered = strand.was_answered = True
            if run.notices is not None:
                run.notices.resumed(self.id, arrival.value)
        if self.answer is None:
            strand.was_answered = False
            return self._answered(run, strand, frame)
        return ENTERED
