"""`WorkflowBuilder`: the entrance for applications.

A builder knows workflow types (YAML folders, Python workflows, stored definitions), the store they run on, and who runs
their steps. It creates and loads instances; `Workflow` drives them. One builder serves a whole application.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast, final
from uuid import UUID

from ruvon._arguments import id_of, require_options
from ruvon._bridge import run_coroutine_sync
from ruvon._bulk import (
    BulkAction,
    BulkCancel,
    BulkItem,
    BulkMigrate,
    BulkPurge,
    BulkReport,
    BulkRetry,
    BulkRewind,
    BulkSignal,
    run_bulk,
)
from ruvon._clashes import Sourced
from ruvon._definitions import DefinitionRegistry
from ruvon._plugins import PluginContents
from ruvon._queues import Queues
from ruvon._registrations import Registration
from ruvon._schedules import Schedules
from ruvon._step_types import StepTypes, type_name
from ruvon._workflow import Workflow
from ruvon.engine import Engine, Observers, ProgramCache, StepInterceptor, WrongArgumentError
from ruvon.implementations.egress import HttpEgress
from ruvon.implementations.encryption import encrypting, inner_store
from ruvon.implementations.execution._named import execution_named
from ruvon.implementations.execution.sync import SyncExecutionProvider
from ruvon.implementations.inference import OnnxInferenceProvider
from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.implementations.wasm import WasmtimeRuntime
from ruvon.ir._nodes import Definition
from ruvon.ir._paths import ImportRoots
from ruvon.models import WorkflowStatus, WorkflowStep
from ruvon.providers import (
    Clock,
    DefinitionRecord,
    DuplicateIdempotencyKeyError,
    EgressProvider,
    EngineStore,
    ExecutionProvider,
    IdSource,
    InferenceProvider,
    InstanceFilter,
    InstanceRecord,
    KeyProvider,
    PersistenceProvider,
    SystemClock,
    SystemIds,
    TemplateEngine,
    WasmRuntime,
    duration_us,
)
from ruvon.steps import compile_node

if TYPE_CHECKING:
    from ruvon_dsl import CompileResult

__all__ = [
    "BulkAction",
    "BulkCancel",
    "BulkItem",
    "BulkMigrate",
    "BulkPurge",
    "BulkReport",
    "BulkRetry",
    "BulkRewind",
    "BulkSignal",
    "PluginContents",
    "WorkflowBuilder",
]


@final
class WorkflowBuilder:
    """Registers workflow types, creates and loads instances.

    Args:
        config_dir: a folder with workflow files, or with a registry file that lists them.
        persistence_provider: the store; the memory of this process where none is given.
        execution_provider: who runs step bodies, or the name of an executor: `sync` (where none is given), `thread_pool`,
            `queue`, `postgres` or `celery`.
        observers: who is told what happened; `observer` is another name for it, and one that is no list is enough.
        clock: what time it is.
        ids: where identifiers and chance come from.
        resources: objects that steps ask for by class with `context.get`.
        import_roots: packages and folders that definitions may take code from, beside the files' own folders.
        plugins: register what installed plugins bring.
        secrets: gives the value of `secret("NAME")`.
        template_engine: renders `template("...")`.
        interceptors: code around the body of every step, the first outermost.
        egress: sends the requests of HTTP steps, and closes with the builder; `HttpEgress()` where none is given.
        wasm_runtime: runs WASM steps; wasmtime over the folder `RUVON_WASM_DIR` where none is given.
        inference_provider: runs AI_INFERENCE steps; onnxruntime over the folder `RUVON_MODELS_DIR` where none is given.
        crash_budget: so many processes may die over one run at one place; None: any number.
        encryption: keys that everything of the author's is encrypted with before it is stored; those of
            `RUVON_ENCRYPTION_KEY` where none are given, and without any it is stored in plain.
        cleanup_deadline: so long may each `finally` run in a run that is cancelled or whose timeout has passed; None: for
            ever.
    """

    _import_cache: ClassVar[dict[str, object]] = {}
    """Objects by path that builders have loaded; each asks its own import roots before its first look-up."""

    def __init__(
        self,
        config_dir: str | Path | None = None,
        *,
        persistence_provider: PersistenceProvider | None = None,
        execution_provider: ExecutionProvider | str | None = None,
        observers: object | Sequence[object] = (),
        observer: object | Sequence[object] = (),
        clock: Clock | None = None,
        ids: IdSource | None = None,
        resources: Iterable[object] = (),
        import_roots: ImportRoots | Iterable[str | Path] = (),
        plugins: bool = True,
        secrets: Callable[[str], object] | None = None,
        template_engine: TemplateEngine | None = None,
        interceptors: Sequence[StepInterceptor] = (),
        egress: EgressProvider | None = None,
        wasm_runtime: WasmRuntime | None = None,
        inference_provider: InferenceProvider | None = None,
        crash_budget: int | None = 5,
        cleanup_deadline: timedelta | None = timedelta(seconds=30),
        encryption: KeyProvider | None = None,
    ) -> None:
        self.clock: Clock = clock if clock is not None else SystemClock()
        self.ids: IdSource = ids if ids is not None else SystemIds()
        store = persistence_provider or MemoryPersistenceProvider(self.clock)
        self._encryption = encryption
        self.persistence: PersistenceProvider = encrypting(store, encryption)
        if isinstance(execution_provider, str):
            execution_provider = execution_named(execution_provider)
        self.execution: ExecutionProvider = execution_provider or SyncExecutionProvider()
        self._step_types = StepTypes()
        self._registry = DefinitionRegistry(_roots(import_roots), self._step_types)
        self._registry.import_cache = self._import_cache
        self._registry.durable = not isinstance(inner_store(store), MemoryPersistenceProvider)
        self._watching = (*_as_list(observers), *_as_list(observer))
        self._resources = {type(item): item for item in resources}
        self._secrets = secrets
        self._templates = template_engine
        self._interceptors = tuple(interceptors)
        self.egress: EgressProvider = egress or HttpEgress()
        self.wasm: WasmRuntime = wasm_runtime or WasmtimeRuntime.from_environment()
        self.inference: InferenceProvider = inference_provider or OnnxInferenceProvider.from_environment()
        self._crash_budget = crash_budget
        self._cleanup_deadline_us = duration_us(cleanup_deadline) if cleanup_deadline is not None else None
        self._programs = ProgramCache()
        self._engines: dict[tuple[int, int], Engine] = {}
        self._behind: dict[int, PersistenceProvider] = {}
        if config_dir is not None:
            self._registry.add_folder(Path(config_dir))
        if plugins:
            self._registry.add_plugins()
        self._watching += tuple(self._registry.observers)
        self._observers = Observers(self._watching)
        self.execution.bind(self.engine, self.persistence)

    # Registering

    def register(self, *workflows: object) -> None:
        """Register workflows: `@workflow` functions, definitions, results of compiling, or paths of files and folders.

        Functions are compiled at once, files when their type is first asked for (step types may be registered later).

        Raises:
            DefinitionError: a function has mistakes; the text shows them all. Or another file defines the same type and
                version differently.
            TypeError: something else was given.
            FileNotFoundError: there is no such file or folder.
        """
        for item in workflows:
            match item:
                case Definition():
                    self._registry.add(item)
                case str() | Path():
                    path = Path(item)
                    if path.is_dir():
                        self._registry.add_folder(path)
                    else:
                        self._registry.add_file(path)
                case _ if isinstance(getattr(item, "definition", None), Definition):
                    self._registry.add_compiled(cast("Sourced", item))
                case _:
                    self._registry.add_object(item)

    def register_step_type(self, *classes: type[WorkflowStep]) -> None:
        """Register custom step types, by the literal default of their field `type`.

        Raises:
            TypeError: a class does not say its type, or is no step type.
        """
        for cls in classes:
            name = type_name(cls) if _is_step_type(cls) else None
            if name is None and not _is_step_type(cls):
                raise WrongArgumentError("register_step_type()", "subclasses of WorkflowStep", cls)
            if name is None:
                raise TypeError(f'{cls.__qualname__} does not say its type; write `type: Literal["NAME"] = "NAME"`')
            self._registry.roots.allow_package(cls.__module__)
            self._step_types.add(name, cls)

    def compile_source(
        self,
        text: str,
        *,
        kind: Literal["yaml", "python"] = "yaml",
        file: str = "<text>",
        environment: Mapping[str, str] | None = None,
    ) -> "CompileResult":
        """Compile a text with the code and the step types that this builder allows; nothing is registered.

        Args:
            text: the source.
            kind: the form that it is written in.
            file: what findings call it.
            environment: the variables for `${NAME}` in YAML; those of the process where none are given.

        Returns:
            The workflows of the text and every finding about it; `register` takes the workflows.
        """
        return self._registry.compile_text(text, kind, file, environment)

    def registered_types(self) -> list[str]:
        """All workflow types, sorted."""
        return self._registry.types()

    def get_definition(self, workflow_type: str, version: str | None = None) -> Definition:
        """The current definition of a type, or that of a version.

        Raises:
            UnknownWorkflowTypeError: there is none.
            DefinitionError: its source has mistakes.
        """
        return self._registry.find(workflow_type, version)

    @property
    def plugins(self) -> Mapping[str, Mapping[str, Any]]:
        """What installed plugins say about themselves, by name."""
        return self._registry.plugins.usable

    @property
    def broken_plugins(self) -> Mapping[str, str]:
        """Why installed plugins are left out, by the names of their entry points."""
        return self._registry.plugins.broken

    def plugin_contents(self) -> list[PluginContents]:
        """What each usable plugin brings; its steps are imported and its workflows compiled to know it."""
        return self._registry.plugin_contents()

    @property
    def step_types(self) -> Mapping[str, type[WorkflowStep]]:
        """The custom step types by name; looking one up imports the module of a plugin that brings it."""
        return self._step_types

    def registration(self, workflow_type: str) -> Registration:
        """When a type is started by itself, and how long its ended runs are kept.

        Raises:
            UnknownWorkflowTypeError: there is no such type.
        """
        return self._registry.registration(workflow_type)

    @property
    def schedules(self) -> Schedules:
        """The schedules in the builder's store."""
        return Schedules(self.engine(), self.registered_types, self.registration)

    @property
    def queues(self) -> Queues:
        """The limits of the queues in the builder's store."""
        return Queues(self.engine())

    async def sync_schedules(self) -> Sequence[str]:
        """Make the declared schedules what `@workflow(cron=...)` and the registry files say; the names that changed."""
        return await self.schedules.sync()

    def engine(
        self,
        persistence_provider: PersistenceProvider | None = None,
        execution_provider: ExecutionProvider | None = None,
    ) -> Engine:
        """The engine over a store and an executor; the builder's own where none is given."""
        store = self._behind_encryption(persistence_provider)
        executor = execution_provider or self.execution
        known = self._engines.get((id(store), id(executor)))
        if known is None:
            known = self._engines[id(store), id(executor)] = self.new_engine(store, execution=executor)
            if executor is not self.execution:
                executor.bind(lambda: self.engine(store, executor), store)
        return known

    def _behind_encryption(self, given: PersistenceProvider | None) -> PersistenceProvider:
        """The store to use; the same one for the same store that was given."""
        if given is None or given is inner_store(self.persistence):
            return self.persistence
        known = self._behind.get(id(given))
        if known is None:
            known = self._behind[id(given)] = encrypting(given, self._encryption)
        return known

    def new_engine(
        self,
        store: EngineStore,
        *,
        execution: ExecutionProvider | None = None,
        clock: Clock | None = None,
        ids: IdSource | None = None,
        interceptors: Sequence[StepInterceptor] = (),
    ) -> Engine:
        """An engine of its own over a store, with everything else as the builder has it; tools and tests make these.

        Args:
            store: where instances lie.
            execution: who runs step bodies.
            clock: what time it is.
            ids: where identifiers and chance come from.
            interceptors: code around the body of every step, inside the builder's own.
        """
        return Engine(
            store,
            execution or self.execution,
            self._registry,
            compile_node,
            clock=clock or self.clock,
            ids=ids or self.ids,
            observers=self._observers,
            resources=self._resources,
            step_types=self._step_types,
            secrets=self._secrets,
            templates=self._templates,
            interceptors=(*self._interceptors, *_interceptors_of(self._watching), *interceptors),
            programs=self._programs,
            egress=self.egress,
            wasm_runtime=self.wasm,
            inference_provider=self.inference,
            crash_budget=self._crash_budget,
            cleanup_deadline_us=self._cleanup_deadline_us,
        )

    # Instances

    async def create_workflow(
        self,
        workflow_type: str,
        initial_data: object = None,
        *,
        idempotency_key: str | None = None,
        if_exists: Literal["raise", "load"] = "raise",
        owner_id: str | None = None,
        org_id: str | None = None,
        data_region: str | None = None,
        priority: int = 0,
        metadata: Mapping[str, object] | None = None,
        version: str | None = None,
        background: bool = False,
        actor: str = "",
        reason: str = "",
        persistence_provider: PersistenceProvider | None = None,
        execution_provider: ExecutionProvider | None = None,
    ) -> Workflow:
        """Create an instance; nothing of it runs yet, unless a worker is to drive it.

        Args:
            workflow_type: a registered type.
            initial_data: the state's class, or a mapping that it is validated from.
            idempotency_key: a second creation with the same key makes nothing.
            if_exists: what a taken key does: raise, or give the instance that has it.
            owner_id: whose it is.
            org_id: whose organisation's it is.
            data_region: where its data may be kept.
            priority: larger is sooner, where work is queued.
            metadata: whatever the application attaches.
            version: a version of the definition; the current one where none is given.
            background: a worker (`ruvon worker`) that serves the queue `default` drives it, beginning at once.
            actor: who starts it; kept as `started_by` in the metadata.
            reason: why; kept as `started_why` in the metadata.
            persistence_provider: another store than the builder's.
            execution_provider: another executor than the builder's.

        Raises:
            UnknownWorkflowTypeError: no such type is registered.
            InvalidInitialDataError: the data does not fit; nothing was stored.
            DuplicateIdempotencyKeyError: the key is taken.
            ValueError: `if_exists` is neither of the two.
            WrongArgumentError: an argument is of another kind, such as a function for the name of its type.
        """
        require_options(if_exists, priority, metadata, idempotency_key, owner_id, org_id, data_region)
        engine = self.engine(persistence_provider, execution_provider)
        record, definition = engine.new_record(
            engine.program_for(workflow_type, version),
            self.ids.new_id(),
            {} if initial_data is None else initial_data,
            owner_id=owner_id, org_id=org_id, data_region=data_region,
            priority=priority, idempotency_key=idempotency_key,
            metadata={**self._observers.metadata(None), **(metadata or {}), **_starter(actor, reason)},
        )  # fmt: skip
        record = await _create(engine, record, definition, background=background, loads=if_exists == "load")
        return Workflow(engine, await engine.load(record))

    def create_workflow_sync(self, workflow_type: str, initial_data: object = None, **options: Any) -> Workflow:
        """`create_workflow` for callers that are not async."""
        return run_coroutine_sync(self.create_workflow(workflow_type, initial_data, **options))

    async def load_workflow(
        self,
        workflow_id: UUID | str,
        *,
        persistence_provider: PersistenceProvider | None = None,
        execution_provider: ExecutionProvider | None = None,
    ) -> Workflow:
        """A handle to an existing instance.

        Raises:
            WorkflowNotFoundError: there is none (it is a `ValueError` too).
            WrongArgumentError: `workflow_id` is neither a UUID nor text.
            DefinitionDriftError: deployed code no longer fits its definition.
        """
        engine = self.engine(persistence_provider, execution_provider)
        return Workflow(engine, await engine.load(await engine.store.load_instance(id_of(workflow_id))))

    def load_workflow_sync(self, workflow_id: UUID | str) -> Workflow:
        """`load_workflow` for callers that are not async."""
        return run_coroutine_sync(self.load_workflow(workflow_id))

    async def list_workflows(
        self,
        *,
        status: str | None = None,
        workflow_type: str | None = None,
        owner_id: str | None = None,
        limit: int = 20,
        offset: int = 0,
    ) -> list[dict[str, Any]]:
        """Summaries of instances, newest first, without their state.

        Raises:
            ValueError: there is no such status, or `limit` or `offset` is negative.
        """
        if status is not None and status not in list(WorkflowStatus):
            raise ValueError(f"there is no status {status!r}; it is one of {', '.join(WorkflowStatus)}")
        if limit < 0 or offset < 0:
            raise ValueError("limit and offset are numbers from 0")
        return await self.persistence.list_workflows(
            status=status, workflow_type=workflow_type, owner_id=owner_id, limit=limit, offset=offset
        )

    async def bulk(
        self,
        wanted: InstanceFilter,
        action: BulkAction,
        *,
        dry_run: bool = False,
        limit: int | None = None,
        concurrency: int = 8,
        actor: str = "",
        reason: str = "",
        on_item: Callable[[BulkItem], None] | None = None,
    ) -> BulkReport:
        """Do one thing with every instance that fits, newest first; one that fails stops no other.

        Args:
            wanted: which instances.
            action: what is done: `BulkCancel`, `BulkRetry`, `BulkSignal`, `BulkRewind`, `BulkMigrate` or `BulkPurge`.
            dry_run: only say what would happen to each, and what would be compensated.
            limit: at most so many instances.
            concurrency: so many at once.
            actor: who asks; kept in the histories.
            reason: why; kept in the histories.
            on_item: told of each instance as soon as it is done.
        """
        said = (actor, reason)
        return await run_bulk(
            self.engine(), self.persistence, wanted, action,
            dry_run=dry_run, limit=limit, concurrency=concurrency, note=said, told=on_item,
        )  # fmt: skip

    async def initialize(self) -> None:
        """Open the store."""
        await self.persistence.initialize()

    async def close(self) -> None:
        """Tell observers the rest, then close them, the store, the executor, and what runs modules and models."""
        await self._observers.close()
        await self.egress.close()
        await self.wasm.close()
        await self.inference.close()
        await self.execution.close()
        await self.persistence.close()


async def _create(
    engine: Engine, record: InstanceRecord, definition: DefinitionRecord, *, background: bool, loads: bool
) -> InstanceRecord:
    """Store an instance; where its key is taken, and `loads` is set, the one that has the key."""
    try:
        await engine.create(record, definition, background=background)
    except DuplicateIdempotencyKeyError:
        known = await engine.store.find_by_idempotency_key(record.idempotency_key or "")
        if not loads or known is None:
            raise
        return known
    return record


def _starter(actor: str, reason: str) -> Mapping[str, str]:
    """Who has started an instance, and why, as its metadata say it."""
    return {name: said for name, said in (("started_by", actor), ("started_why", reason)) if said}


def _as_list(given: object | Sequence[object]) -> Sequence[object]:
    """Observers that were given as one or as several; None is nobody."""
    if given is None:
        return ()
    return tuple(cast("Sequence[object]", given)) if isinstance(given, list | tuple) else (given,)


def _interceptors_of(observers: Sequence[object]) -> tuple[StepInterceptor, ...]:
    """The interceptors that observers bring."""
    bringing = (item for item in observers if hasattr(type(item), "intercept_step"))
    return tuple(cast("StepInterceptor", cast("Any", item).intercept_step) for item in bringing)


def _roots(given: ImportRoots | Iterable[str | Path]) -> ImportRoots:
    if isinstance(given, ImportRoots):
        return given
    items = list(given)
    folders = [Path(item) for item in items if isinstance(item, Path) or Path(item).is_dir()]
    packages = [str(item) for item in items if not isinstance(item, Path) and not Path(item).is_dir()]
    return ImportRoots.from_environment(packages, folders)


def _is_step_type(given: object) -> bool:
    return isinstance(given, type) and issubclass(given, WorkflowStep)
