"""`TestHarness`: workflows in a test, with stubs for steps and a clock that the test moves.

The harness owns a virtual loop, so its methods are ordinary ones and need no plugin for asyncio. Everything happens at
once until something must wait: a person, a signal, a timer. `advance` lets time pass, `answer` and `signal` bring what is
waited for, `finish` lets timers ring until nothing more happens by itself.
"""

import asyncio
import difflib
import inspect
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar, final
from uuid import UUID

import orjson

from ruvon._arguments import id_of
from ruvon._workflow import Workflow
from ruvon.builder import WorkflowBuilder
from ruvon.engine import StepCall
from ruvon.ir import ImportRoots, walk_nodes
from ruvon.models import WorkflowStatus
from ruvon.providers import InstanceRecord, PersistenceProvider, duration_us
from ruvon.testing._driving import can_go_on, rows_of
from ruvon.testing._errors import HarnessError
from ruvon.testing._ids import SeededIds
from ruvon.testing._loop import DEFAULT_START, VirtualClock, VirtualLoop, stop_all
from ruvon.testing._stubs import RecordedCall, Stub, name_of, watched

__all__ = ["HarnessRun", "TestHarness"]

R = TypeVar("R")

Do = Callable[[Coroutine[Any, Any, Any]], Any]
Settle = Callable[[], Coroutine[Any, Any, None]]

_UNSET: Final = object()
_MAX_MOVES: Final = 10_000
_MANY_EVENTS: Final = 10_000


def _duration_us(given: object) -> int:
    """The microseconds of a duration that a clock can go on by."""
    if not isinstance(given, timedelta):
        raise HarnessError(f"advance() takes a timedelta, not {given!r}; write advance(timedelta(seconds=5))")
    if given < timedelta(0):
        raise HarnessError(f"advance() goes forward; {given} lies in the past")
    return duration_us(given)


@final
class TestHarness:
    """Runs workflows in a test.

    Args:
        workflows: what is under test: `@workflow` functions, definitions, or paths of files and folders.
        resources: objects that steps ask for with `context.get`.
        store: where instances lie; a memory store of its own where none is given.
        start: the moment at which the test begins, aware.
        seed: where ids and chance come from.
        import_roots: packages and folders that definitions may take code from.
        secrets: the values of `secret("NAME")`.
        builder: a builder of the test's own instead of all this.

    Example:
        >>> with TestHarness(order_processing) as harness:
        ...     harness.stub(charge, returns=Payment(payment_id="p-1"))
        ...     run = harness.start(order_processing, Order(...))
        ...     run.answer({"approved": True})
        ...     assert run.status is WorkflowStatus.COMPLETED
    """

    __test__ = False  # pytest must not take it for a test class

    def __init__(
        self,
        *workflows: object,
        resources: Iterable[object] = (),
        store: PersistenceProvider | None = None,
        start: datetime = DEFAULT_START,
        seed: int = 0,
        import_roots: ImportRoots | Iterable[str | Path] = (),
        secrets: Mapping[str, object] | None = None,
        builder: WorkflowBuilder | None = None,
    ) -> None:
        self._loop = VirtualLoop()
        self.clock = VirtualClock(self._loop, start)
        """The time of the test; `advance` moves it."""
        self.builder = builder or WorkflowBuilder(
            persistence_provider=store,
            clock=self.clock,
            resources=resources,
            import_roots=import_roots,
            plugins=False,
            secrets=(secrets or {}).__getitem__,
        )
        self.builder.register(*workflows)
        self.store: PersistenceProvider = store or self.builder.persistence
        self.calls: list[RecordedCall] = []
        """Every attempt of every step and compensation, in order."""
        self._stubs: dict[str, Stub] = {}
        self._ids = SeededIds(seed)
        self._engine = self.builder.new_engine(
            self.store, clock=self.clock, ids=self._ids, interceptors=[self._intercept]
        )
        self._closed = False
        self._is_own = builder is None
        self._do(self.store.initialize())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End everything; a second call is harmless. A builder that the test has given stays open."""
        if not self._closed:
            self._closed = True
            if self._is_own:
                self._do(self.builder.close())
            stop_all(self._loop)
            self._loop.close()

    # Stubs

    def stub(
        self,
        step: object,
        *,
        returns: object = _UNSET,
        raises: BaseException | None = None,
        results: Sequence[object] = (),
        does: Callable[..., Any] | None = None,
    ) -> Stub:
        """Put something in the place of a step's body.

        Args:
            step: the `@step` or `@compensate` object, a function, or the name of a step (`NAME:compensate` is its
                compensation).
            returns: what it returns; the declared result is still checked.
            raises: what it raises, each time.
            results: what it returns or raises, call by call; the last one again and again.
            does: a function in its place; it is given those of `state`, `context` and the arguments that it names.

        Returns:
            The stub; its `calls` fill as it is called.

        Raises:
            HarnessError: it is no step, no registered workflow has a step of that name, or two things are asked for.
        """
        given = [returns is not _UNSET, raises is not None, bool(results), does is not None]
        if sum(given) > 1:
            raise HarnessError("a stub does one thing: give one of returns=, raises=, results=, does=")
        if isinstance(step, str):
            self._require_step(step)
        outcomes = [returns] if returns is not _UNSET else [raises] if raises is not None else list(results)
        made = self._stubs[name_of(step)] = Stub(does, outcomes)
        return made

    def calls_of(self, step: object) -> list[RecordedCall]:
        """The calls of one step or compensation, named as for `stub`."""
        name = name_of(step)
        return [call for call in self.calls if name in (call.name, call.function)]

    @property
    def events(self) -> list[tuple[str, Any]]:
        """What was published so far: topic and payload, as JSON reads it."""
        found = self._do(self.store.read_outbox(limit=_MANY_EVENTS))
        return [(event.topic, orjson.loads(event.payload)) for event in found]

    def _require_step(self, name: str) -> None:
        definitions = [self.builder.get_definition(item) for item in self.builder.registered_types()]
        known = {node.id for item in definitions for node in walk_nodes(item.graph)}
        if definitions and name.removesuffix(":compensate") not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean `{near[0]}`?" if near else f"; there are {', '.join(sorted(known))}"
            raise HarnessError(f"no registered workflow has a step `{name}`{hint}")

    def _intercept(self, call: StepCall, proceed: Callable[[], Any]) -> Any:
        name = f"{call.step}:compensate" if call.compensates else call.step
        stub = self._stubs.get(name) or self._stubs.get(call.function or "")
        recorded = RecordedCall(
            call.workflow_id,
            call.step,
            call.function,
            dict(call.arguments),
            call.state,
            call.attempt,
            self.clock.now(),
            call.context.idempotency_key if call.context is not None else None,
            call.compensates,
            stub is not None,
        )
        self.calls.append(recorded)
        if stub is not None:
            stub.calls.append(recorded)
        try:
            made = stub.answer(call) if stub is not None else proceed()
        except BaseException as exc:
            recorded.error = exc
            raise
        if inspect.isawaitable(made):
            return watched(made, recorded)
        recorded.result = made
        return made

    # Running

    def start(
        self, workflow: object, data: object = None, *, version: str | None = None, **options: Any
    ) -> "HarnessRun":
        """Create an instance and run it until it waits or ends.

        Args:
            workflow: a `@workflow` function, or the name of a registered type.
            data: its initial data.
            version: a version of its definition.
            options: what `WorkflowBuilder.create_workflow` takes beside: `idempotency_key`, `owner_id`, `metadata`, ...
        """
        declared = getattr(workflow, "__ruvon_workflow__", None)
        name = declared.workflow_type if declared is not None else workflow
        if not isinstance(name, str):
            raise HarnessError("start() takes a @workflow function or the name of a registered type")
        if declared is not None and name not in self.builder.registered_types():
            self.builder.register(workflow)
        return self._do(self._start(name, data, version, options))

    async def _start(self, name: str, data: object, version: str | None, options: Mapping[str, Any]) -> "HarnessRun":
        program = self._engine.program_for(name, version)
        record, definition = self._engine.new_record(
            program, self._ids.new_id(), {} if data is None else data, **options
        )
        await self._engine.create(record, definition)
        run = HarnessRun(self, Workflow(self._engine, await self._engine.load(record)), self._do, self._settle)
        await self._settle()
        return run

    def load(self, workflow_id: str | UUID) -> "HarnessRun":
        """A handle to an instance that is there already: a child, or one of a prepared store.

        Raises:
            WorkflowNotFoundError: there is none.
            WrongArgumentError: `workflow_id` is neither a UUID nor text.
        """
        return self._do(self._load(id_of(workflow_id)))

    async def _load(self, workflow_id: UUID) -> "HarnessRun":
        record = await self.store.load_instance(workflow_id)
        return HarnessRun(self, Workflow(self._engine, await self._engine.load(record)), self._do, self._settle)

    def runs(self, workflow_type: str | None = None) -> list["HarnessRun"]:
        """Every instance there is, oldest first: children and detached ones too."""
        return self._runs(lambda row: workflow_type in (None, row.workflow_type))

    def children_of(self, workflow_id: str) -> list["HarnessRun"]:
        """The instances that one has started, oldest first."""
        return self._runs(lambda row: str(row.parent_id) == workflow_id)

    def _runs(self, wanted: Callable[[InstanceRecord], bool]) -> list["HarnessRun"]:
        async def found() -> list[HarnessRun]:
            return [await self._load(row.workflow_id) for row in await rows_of(self.store) if wanted(row)]

        return self._do(found())

    def advance(self, duration: timedelta) -> None:
        """Let time pass; everything that falls due rings in its order.

        Raises:
            HarnessError: `duration` is no `timedelta`, or lies in the past.
        """
        self._do(self._advance(_duration_us(duration)))

    def settle(self) -> None:
        """Run whatever can run without time passing."""
        self._do(self._settle())

    def finish(self) -> None:
        """Let timers and retries ring until nothing more happens by itself."""

        async def finish() -> None:
            for _ in range(_MAX_MOVES):
                await self._settle()
                due = await self._next_due()
                if due is None:
                    return
                await self.clock.sleep_us(max(due - self.clock.now_us(), 1))
            raise HarnessError("the workflows go on for ever; use advance() instead of finish()")

        self._do(finish())

    async def _advance(self, duration: int) -> None:
        until = self.clock.now_us() + duration
        await self._settle()
        while True:
            due = await self._next_due()
            if due is None or due > until:
                break
            await self.clock.sleep_us(max(due - self.clock.now_us(), 1))
            await self._settle()
        await self.clock.sleep_us(until - self.clock.now_us())
        await self._settle()

    async def _next_due(self) -> int | None:
        rows = await rows_of(self.store)
        moments = [row.due_us for row in rows if row.due_us is not None and not WorkflowStatus(row.status).is_terminal]
        return min(moments, default=None)

    async def _settle(self) -> None:
        for _ in range(_MAX_MOVES):
            now = self.clock.now_us()
            for row in await rows_of(self.store):
                if await can_go_on(self.store, row, now):
                    await self._engine.poke(row.workflow_id)
                    break
            else:
                return
        raise HarnessError("the workflows go on for ever without time passing")

    def _do(self, work: Coroutine[Any, Any, R]) -> R:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return self._loop.run_until_complete(work)
        with ThreadPoolExecutor(1) as pool:  # the caller runs on a loop of its own, which must not run another one
            return pool.submit(self._loop.run_until_complete, work).result()


@final
class HarnessRun:
    """An instance in a test; reading it always shows how it stands now."""

    def __init__(self, harness: TestHarness, workflow: Workflow, do: Do, settle: Settle) -> None:
        self._harness = harness
        self._workflow = workflow
        self._do = do
        self._settle = settle

    def _fresh(self) -> Workflow:
        self._do(self._workflow.refresh())
        return self._workflow

    @property
    def id(self) -> str:
        """The id, a UUID as text."""
        return self._workflow.id

    @property
    def status(self) -> WorkflowStatus:
        """Where it stands."""
        return self._fresh().status

    @property
    def state(self) -> Any:
        """A copy of its state."""
        return self._fresh().state

    @property
    def result(self) -> Any:
        """The result of a completed workflow, else None."""
        return self._fresh().result

    @property
    def error(self) -> Exception | None:
        """The error of a failed workflow, rebuilt, else None."""
        return self._fresh().error

    @property
    def current_step(self) -> str | None:
        """The step of the outermost list where it stands."""
        return self._fresh().current_step_name

    @property
    def waiting_for(self) -> list[dict[str, Any]]:
        """What it waits for."""
        return self._fresh().waiting_for

    @property
    def children(self) -> "list[HarnessRun]":
        """The instances that it has started and waits for, or has waited for, oldest first."""
        return self._harness.children_of(self.id)

    @property
    def steps(self) -> list[str]:
        """The names of the steps that are recorded as done, in order."""
        return [str(item["step"]) for item in self.history if item["kind"] == "step"]

    @property
    def history(self) -> Sequence[Mapping[str, Any]]:
        """What happened, oldest first."""
        found: Sequence[Mapping[str, Any]] = self._do(self._workflow.history())
        return found

    def answer(self, value: object, *, step: str | None = None) -> None:
        """Answer a waiting human step, or give a step its input; then run on.

        Raises:
            NotWaitingForInputError: nothing waits for an answer.
            InvalidInputError: it does not fit; the step keeps waiting.
        """
        self._act(lambda: self._workflow.answer(value, step=step))

    def signal(self, message: object, payload: object = None, *, key: str | None = None) -> None:
        """Send a signal; then run on."""
        self._act(lambda: self._workflow.signal(message, payload, key=key))

    def cancel(self, reason: str = "", *, compensate: bool = True) -> None:
        """End it; then run what that sets off."""
        self._act(lambda: self._workflow.cancel(reason, compensate=compensate))

    def retry(self, from_step: str | None = None) -> None:
        """Bring a failed workflow back; then run on."""
        self._act(lambda: self._workflow.retry(from_step))

    def next_step(self, user_input: object = None) -> Any:
        """One call of `next_step`, without running on behind it."""
        return self._do(self._workflow.next_step(user_input))

    def finish(self) -> WorkflowStatus:
        """Let timers ring until nothing more happens by itself; how it stands then."""
        self._harness.finish()
        return self.status

    def _act(self, action: Callable[[], Coroutine[Any, Any, object]]) -> None:
        async def act() -> None:
            await action()
            await self._settle()

        self._do(act())

    def __repr__(self) -> str:
        return f"<HarnessRun {self._workflow.workflow_type} {self.id} {self._workflow.status.value}>"
