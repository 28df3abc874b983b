"""`World`: everything that comes to a local run from outside, and the record of what the run did."""

import asyncio
import importlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar, Token
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Self, final
from uuid import UUID

from pydantic import BaseModel

from ruvon.authoring._local._script import Script, Signal
from ruvon.authoring._local._sql import LocalConnection
from ruvon.authoring._step import Step
from ruvon.authoring._workflow import Workflow
from ruvon.ir._errors import RuvonError
from ruvon.providers import TemplateEngine
from ruvon.providers._clock import datetime_of, microseconds_of, uuid7

__all__ = [
    "AMBIENT_WORLD",
    "Called",
    "Compensated",
    "Published",
    "Spawned",
    "World",
    "WorldInputMissing",
]


class WorldInputMissing(RuvonError):  # noqa: N818 - the documented name
    """A local run waits for something that its world does not hold; no handler in a body sees it.

    Args:
        wanted: what the run waits for, such as ``the human task `finance.approve` ``.
        remedy: the argument of `World` that supplies it.
    """

    def __init__(self, wanted: str, remedy: str) -> None:
        self.wanted = wanted
        self.remedy = remedy
        super().__init__(f"the run waits for {wanted}; supply it with {remedy}")


@final
@dataclass(frozen=True, slots=True)
class Called:
    """One call of a step, a custom type, a service or a child, as it started."""

    step: str
    """The step's name; `http`, `infer`, `wasm` for those, a child's workflow type for a child."""
    activation: str
    """Branch path, name and visit: `gather[1]/charge#2`; not the engine's own text, but as stable."""
    branch: str
    """The sequence it belongs to: an empty text for the body, `gather[1]` for a branch; order is fixed within one."""
    args: Mapping[str, Any]
    """Copies of its arguments by name, without state and context."""


@final
@dataclass(frozen=True, slots=True)
class Compensated:
    """One compensation that ran."""

    step: str
    """The name of the step that it undid."""
    activation: str
    """The activation that it undid."""
    error: Exception | None = None
    """Why it failed, after its retries; None when it worked."""


@final
@dataclass(frozen=True, slots=True)
class Published:
    """One event of the outbox."""

    topic: str
    event: BaseModel


@final
@dataclass(frozen=True, slots=True)
class Spawned:
    """One child that was started on its own, or scheduled."""

    workflow: str
    workflow_id: str
    state: Any
    cron: str | None = None


AMBIENT_WORLD: ContextVar["World | None"] = ContextVar("ruvon_world", default=None)
"""The world of an enclosing `with world:`, taken by `.local` calls that are given none."""


class World:
    """What a local run gets from outside, scripted, and what it did, recorded. Use one world for one run.

    A reply anywhere below is a value, an error to raise, a `Reply(value, takes=...)`, a function of the call's own
    arguments (by name), or `InTurn(first, second, ...)`.

    Args:
        answers: what people answer, by task: a list of values (models or dicts) in order. An empty list means that
            nobody answers.
        signals: messages in order of arrival: events, or `Signal(event, key=, after=)`.
        children: results of children, by workflow type; one that is not named runs its own body in this world.
        http: replies by `"METHOD url"` or by url: a value for `into=`, or an `HttpResponse`.
        infer: replies by model name.
        wasm: replies by module.
        start: when the run starts; the clock is virtual and moves only through waits.
        ids: identifiers for `new_id()`, in order; then made from a seed.
        randoms: numbers for `random()`, in order; then made from a seed.
        steps: fakes instead of steps, by step or by name.
        resources: what `context.get(kind)` gives, by class.
        secrets: what `secret(name)` gives.
        template_engine: what renders `template(...)`; the built-in Jinja engine by default.
        sql: the database of steps with `transaction=True`, `sqlite3.connect(...)`.
        seed: of the identifiers and numbers that are made.
        max_calls: a run that awaits more ends with `EndlessRunError`.
    """

    def __init__(
        self,
        *,
        answers: Mapping[str, Sequence[Any]] | None = None,
        signals: Iterable[Any] = (),
        children: Mapping[Any, Any] | None = None,
        http: Mapping[str, Any] | None = None,
        infer: Mapping[str, Any] | None = None,
        wasm: Mapping[str, Any] | None = None,
        start: datetime = datetime(2026, 1, 1, tzinfo=UTC),
        ids: Iterable[UUID] = (),
        randoms: Iterable[float] = (),
        steps: "Mapping[Any, Any] | None" = None,
        resources: Mapping[type, Any] | None = None,
        secrets: Mapping[str, str] | None = None,
        template_engine: TemplateEngine | None = None,
        sql: LocalConnection | None = None,
        seed: int = 0,
        max_calls: int = 100_000,
    ) -> None:
        self.calls: list[Called] = []
        """Every call in order; within one branch the order is fixed."""
        self.compensations: list[Compensated] = []
        """Every compensation in order."""
        self.published: list[Published] = []
        """Every event of steps that completed."""
        self.spawned: list[Spawned] = []
        """Every child that was started on its own or scheduled."""
        self.shown: list[tuple[str, Any]] = []
        """Every human task with what the person was shown."""
        self.refused: list[tuple[str, Any]] = []
        """Answers that did not validate, by task."""
        self.logged: list[tuple[str, str, Mapping[str, Any]]] = []
        """Every line of `context.log`: level, message, metadata."""
        self.slept: list[timedelta] = []
        """Every retry delay that was waited for."""
        self.answers = {task: list(values) for task, values in (answers or {}).items()}
        self.signals = [item if isinstance(item, Signal) else Signal(item, any_key=True) for item in signals]
        self.steps = Script({_name_of(key): entry for key, entry in (steps or {}).items()})
        self.children = Script({_name_of(key): entry for key, entry in (children or {}).items()})
        self.http = Script(dict(http or {}))
        self.infer = Script(dict(infer or {}))
        self.wasm = Script(dict(wasm or {}))
        self.resources = dict(resources or {})
        self.secrets = dict(secrets or {})
        self.scripted = True
        """False for the empty world that a run without a world gets: nothing can come, so nothing is waited for."""
        self._now_us = microseconds_of(start)
        self._start_us = self._now_us
        self._ids = iter(ids)
        self._randoms = iter(randoms)
        self._template_engine = template_engine
        self.sql = sql
        self.sql_turn = asyncio.Lock()
        """Held by the attempt whose statements are being executed."""
        self.max_calls = max_calls
        self._counted = 0
        self._runs = 0
        self._seed = seed
        self._drawn = 0
        self._tokens: list[Token[World | None]] = []

    @classmethod
    def empty(cls) -> "World":
        """The world of a run without one."""
        world = cls()
        world.scripted = False
        return world

    @property
    def now(self) -> datetime:
        """What the world's clock shows, aware, in UTC."""
        return datetime_of(self._now_us)

    @property
    def now_us(self) -> int:
        """What the world's clock shows, in microseconds since the epoch."""
        return self._now_us

    @property
    def start_us(self) -> int:
        """When the run started, in microseconds since the epoch."""
        return self._start_us

    @property
    def template_engine(self) -> TemplateEngine:
        """The engine that was given, or the built-in one, which is loaded when it is first needed."""
        if self._template_engine is None:
            # By name, because the implementations stand above this layer; the builder's default is the same class.
            module = importlib.import_module("ruvon.implementations.templating.jinja2")
            self._template_engine = module.Jinja2TemplateEngine()
        return self._template_engine

    def advance_to(self, moment_us: int) -> None:
        """Move the clock forward; an earlier moment leaves it."""
        self._now_us = max(self._now_us, moment_us)

    def new_id(self) -> UUID:
        """The next scripted identifier, or one made from the seed."""
        given = next(self._ids, None)
        return given if given is not None else uuid7(self._now_us, self._chance() >> 54)

    def random(self) -> float:
        """The next scripted number, or one made from the seed."""
        given = next(self._randoms, None)
        return given if given is not None else (self._chance() >> 75) / (1 << 53)

    def new_run_id(self) -> UUID:
        """The id of the next instance; it takes nothing from the scripted identifiers."""
        self._runs += 1
        chance = int.from_bytes(sha256(f"{self._seed}:run:{self._runs}".encode()).digest()[:16], "big")
        return uuid7(self._start_us, chance >> 54)

    def count(self) -> bool:
        """Count one awaited call; False when there were too many."""
        self._counted += 1
        return self._counted <= self.max_calls

    def _chance(self) -> int:
        self._drawn += 1
        return int.from_bytes(sha256(f"{self._seed}:{self._drawn}".encode()).digest()[:16], "big")

    @property
    def by_branch(self) -> dict[str, list[str]]:
        """The names of the steps called, by branch: what two runs of one workflow must agree on."""
        found: dict[str, list[str]] = defaultdict(list)
        for item in self.calls:
            found[item.branch].append(item.step)
        return dict(found)

    @property
    def steps_called(self) -> list[str]:
        """The names of the steps called, in order."""
        return [item.step for item in self.calls]

    def fake_of(self, *names: str) -> Any:
        """The next scripted reply of a step, or `NOTHING`."""
        return self.steps.next(names)

    def __enter__(self) -> Self:
        """Make this the world of `.local` calls that are given none."""
        self._tokens.append(AMBIENT_WORLD.set(self))
        return self

    def __exit__(self, *exc: object) -> None:
        AMBIENT_WORLD.reset(self._tokens.pop())


def _name_of(key: Any) -> str:
    """The name under which a fake is found: of a step, of a workflow, of a plain function, or the text itself."""
    if isinstance(key, str):
        return key
    if isinstance(key, Step | Workflow):
        return key.name
    name = getattr(key, "__name__", None)
    if isinstance(name, str):
        return name
    raise TypeError(f"a world's steps are named by a step or its name, not by {key!r}")
