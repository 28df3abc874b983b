"""The compile driver: from a file, a text, a target or a workflow object to linked definitions and findings.

Nothing here raises for bad input: what is wrong with a text, a file or an import is a finding. `require` turns findings
into a `DefinitionError` for callers that want one.
"""

import gc
import hashlib
import inspect
import linecache
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Final, Literal, TypeAlias, final

from ruvon.authoring._declarations import WorkflowDeclaration
from ruvon.ir._diagnostics import Diagnostic, Severity
from ruvon.ir._errors import DefinitionError, RuvonError
from ruvon.ir._nodes import Definition
from ruvon.ir._paths import ImportRoots
from ruvon.ir._spans import Span
from ruvon.models import WorkflowStep
from ruvon_dsl._cache import CachedWorkflow, CacheKey, DefinitionCache, Entry
from ruvon_dsl._draft import Draft, SourceText
from ruvon_dsl._link import ModuleLookup, asked_names, in_order, link, step_classes
from ruvon_dsl._link._codes import NO_WORKFLOW
from ruvon_dsl._modules import Home, home_of, load_file, load_text
from ruvon_dsl._recording import RecordingRoots
from ruvon_dsl._taken import Importer, homes_of, taken_from
from ruvon_dsl.diagnostics import render_terminal

__all__ = [
    "CompileResult",
    "CompiledWorkflow",
    "Kind",
    "StepTypes",
    "check_file",
    "compile_file",
    "compile_function",
    "compile_source",
    "compile_target",
    "require",
]

Kind: TypeAlias = Literal["python", "yaml"]
_SAID_BETTER: Final = {
    "RV0248": frozenset({"RV0113", "RV0130"}),
    "RV0249": frozenset({"RV0131", "RV0132", "RV0137"}),
}
"""What decorators refuse at import, and what the front end says about the same mistake."""
_SYNTAX_SAID_BETTER: Final = frozenset({"RV0408", "RV0409"})
"""What Python's compiler refuses without a tree, and the front end by name."""
_UNKNOWN_OPTION: Final = "RV0135"
StepTypes: TypeAlias = Callable[[str], tuple[str, ...] | None]
"""From the name of a custom step type to the names of its fields; None for a name that is not registered."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledWorkflow:
    """One workflow of a source."""

    definition: Definition
    digest: bytes | None
    """SHA-256 of the linked definition; None where there are errors, or where nothing was imported."""
    span: Span | None
    """Where the workflow is defined."""
    path: str | None
    """`module:function` of a Python workflow; None for YAML."""
    file: str
    step_types: Mapping[str, type[WorkflowStep]] = field(default_factory=lambda: MappingProxyType({}))
    """Classes of custom step types that its modules hold, by name; none where the cache gave the definition."""


@final
@dataclass(frozen=True, slots=True)
class CompileResult:
    """Everything that compiling one source gave."""

    definitions: tuple[CompiledWorkflow, ...]
    diagnostics: tuple[Diagnostic, ...]
    """All findings, sorted by position, each once."""

    @property
    def ok(self) -> bool:
        """Whether there is no error among the findings."""
        return all(item.severity is not Severity.ERROR for item in self.diagnostics)


def require(result: CompileResult) -> tuple[CompiledWorkflow, ...]:
    """The compiled workflows.

    Raises:
        DefinitionError: there is an error among the findings; its text shows them with excerpts and helps.
    """
    if not result.ok:
        raise DefinitionError(result.diagnostics, shown=_shown(result.diagnostics))
    return result.definitions


def _shown(found: Sequence[Diagnostic]) -> str:
    errors = [item for item in found if item.severity is Severity.ERROR]
    files = {item.span.file for item in errors if item.span is not None}
    return render_terminal(errors, {file: "".join(linecache.getlines(file)) for file in files}).rstrip("\n")


def compile_file(
    path: str | Path,
    *,
    roots: ImportRoots | None = None,
    workflow: str | None = None,
    imports: bool = True,
    cache: bool = True,
    step_types: StepTypes | None = None,
) -> CompileResult:
    """Compile a `.py`, `.yaml` or `.yml` file; a registry file is checked against the files it lists.

    Args:
        path: The file.
        roots: Where its code may come from; its own folder (or the folder of its package) always is allowed.
        workflow: Only the workflow of this function or type.
        imports: Import the code and link; without it the text is only parsed and checked for shape.
        cache: Take the result from the disk where source and imported modules are unchanged, and keep it there.
        step_types: For YAML the registered custom step types: a name to the names of its fields, or None. With it the
            cache is left alone: what a registered type takes can change without a change of any file that the key of
            an entry covers, and a plugin that is being written keeps its version.
    """
    where = Path(path)
    place = _Place(path=where if imports else None, home=home_of(where), step_types=step_types)
    return _compile_path(where, place, RecordingRoots.of(roots), workflow, cache=cache)


def check_file(path: str | Path, *, workflow: str | None = None) -> CompileResult:
    """Parse a file and check its shape without importing any of the author's code."""
    return compile_file(path, workflow=workflow, imports=False, cache=False)


def compile_source(
    text: str,
    *,
    kind: Kind = "python",
    file: str = "<text>",
    module: str | None = None,
    roots: ImportRoots | None = None,
    workflow: str | None = None,
    imports: bool = True,
    step_types: StepTypes | None = None,
    environment: Mapping[str, str] | None = None,
) -> CompileResult:
    """Compile a text that no file holds.

    Args:
        text: The source.
        kind: The form it is written in.
        file: The name that findings carry.
        module: The name under which a Python text's module is registered, so that its steps and models are found by
            path; made of the text's hash where it is not given.
        roots: Where its code may come from.
        workflow: Only the workflow of this function or type.
        imports: Import the code and link.
        step_types: For YAML the registered custom step types: a name to the names of its fields, or None.
        environment: For YAML the variables for `${NAME}`; the process's environment where it is None.
    """
    source = SourceText(file, text)
    allowed = RecordingRoots.of(roots)
    name = module or f"ruvon_text_{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    place = _Place(module=name if imports else None, step_types=step_types, environment=environment)
    return _compiled(source, kind, allowed, workflow, place)


def compile_target(target: str, *, roots: ImportRoots | None = None, imports: bool = True) -> CompileResult:
    """Compile what a command line names: a file, `file.py:function` or `package.module:function`."""
    if Path(target).suffix in {".py", ".yaml", ".yml"}:
        return compile_file(target, roots=roots, imports=imports)
    head, _, name = target.rpartition(":")
    if head and Path(head).suffix in {".py", ".yaml", ".yml"}:
        return compile_file(head, roots=roots, workflow=name, imports=imports)
    module = head or target
    allowed = RecordingRoots.of(roots)
    allowed.allow_package(module)
    allowed.allow_folder(Path.cwd())
    found = _find_module(module)
    if found is None:
        message = f"there is no file and no module `{module}`"
        help_ = "give a file, or `package.module:function`"
        return CompileResult((), (Diagnostic(code=NO_WORKFLOW, message=message, help=help_),))
    place = _Place(path=found if imports else None, home=home_of(found, module))
    return _compile_path(found, place, allowed, name if head else None, cache=True)


def compile_function(workflow: object, *, roots: ImportRoots | None = None) -> CompileResult:
    """Compile a workflow that is already imported, from the source of its module.

    Where a file holds that source, the result is taken from the disk while the file, those it imports and the values
    that the imported modules hold are unchanged, and is kept there.
    """
    declared: object = getattr(workflow, "__ruvon_workflow__", None)
    function = declared.function if isinstance(declared, WorkflowDeclaration) else None
    if function is None:
        message = f"{workflow!r} is no workflow with a body"
        help_ = "give a function that is decorated with @workflow"
        return CompileResult((), (Diagnostic(code=NO_WORKFLOW, message=message, help=help_),))
    module = sys.modules.get(function.__module__)
    text = _source_of(module)
    if module is None or text is None:
        message = f"the source of `{function.__module__}`, where `{function.__name__}` is defined, cannot be read"
        help_ = "define the workflow in a file"
        return CompileResult((), (Diagnostic(code=NO_WORKFLOW, message=message, help=help_),))
    allowed = RecordingRoots.of(roots)
    allowed.allow_package(function.__module__)
    file = inspect.getfile(function)
    if Path(file).is_file():
        allowed.allow_folder(home_of(Path(file), function.__module__ if "." in function.__module__ else None).folder)
    return _compile_loaded(SourceText(file, text), module, function.__name__, allowed)


# --- the stages -------------------------------------------------------------------------------------------------------


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where the code of a text is imported: from a file, or as a module made of the text; neither imports nothing."""

    path: Path | None = None
    home: Home = field(default_factory=lambda: Home("", Path()))
    module: str | None = None
    step_types: StepTypes | None = None
    environment: Mapping[str, str] | None = None

    @property
    def opaque(self) -> bool:
        return self.path is None and self.module is None


def _compile_path(
    where: Path, place: _Place, allowed: RecordingRoots, workflow: str | None, *, cache: bool
) -> CompileResult:
    source = _read(where)
    if isinstance(source, Diagnostic):
        return CompileResult((), (source,))
    allowed.allow_folder(place.home.folder)
    if _kind_of(where) == "yaml":
        allowed.allow_folder(where.resolve().parent)
    options = (str(where.resolve()), place.home.name, *map(str, allowed.folders), *sorted(allowed.packages))
    key = CacheKey.of(source, workflow=workflow, options=options)
    kept = cache and not place.opaque and place.step_types is None and not _is_registry(source, _kind_of(where))
    if not kept:
        return _compiled(source, _kind_of(where), allowed, workflow, place)
    importer = _Importer(where, source, allowed, place.home)
    return _through_cache(
        key,
        importer.module,
        lambda: _compiled(source, _kind_of(where), allowed, workflow, place),
        lambda result, asked: _entry(result, allowed, asked),
    )


def _compile_loaded(source: SourceText, module: ModuleType, function: str, allowed: RecordingRoots) -> CompileResult:
    """Compile a function of a module that is loaded, which may hold other values than its file says."""

    def compiled() -> CompileResult:
        with _without_collector():
            lowered = _lower_python(source, module, function)
            return _linked(source, lowered, allowed, opaque=False, workflow=None)

    read = _read(Path(source.file))
    if not isinstance(read, SourceText) or read.text != source.text:
        return compiled()
    allowed.record(module.__name__)
    options = ("loaded", module.__name__, *map(str, allowed.folders), *sorted(allowed.packages))
    found = _through_cache(
        CacheKey.of(source, workflow=function, options=options),
        lambda name: sys.modules.get(name) or _module_of(allowed, name),
        compiled,
        lambda result, asked: _entry(result, allowed, asked, trusted=False),
    )
    classes = step_classes(list(vars(module).values()))
    return replace(found, definitions=tuple(replace(item, step_types=classes) for item in found.definitions))


def _through_cache(
    key: CacheKey,
    importer: Importer,
    compiled: Callable[[], CompileResult],
    entry: Callable[[CompileResult, set[tuple[str, str]]], Entry],
) -> CompileResult:
    """What the disk has under a key; else what compiling gives, which is kept there where it has no errors."""
    store = DefinitionCache.default()
    with _without_collector():
        known = store.load(key, importer)
    if known is not None:
        return _restored(known)
    with asked_names() as asked:
        result = compiled()
    if result.ok:
        store.store(key, entry(result, asked))
    return result


@final
@dataclass(frozen=True, slots=True)
class _Importer:
    """Imports what a cached definition was made of, where its files do not say everything."""

    path: Path
    source: SourceText
    roots: RecordingRoots
    home: Home

    def module(self, name: str) -> ModuleType | None:
        """The module, imported as compiling would; None where that fails, which compiling will explain."""
        if name == self.home.name and _kind_of(self.path) == "python":
            loaded = load_file(self.path, self.source, self.roots, self.home)
            return loaded if isinstance(loaded, ModuleType) else None
        return _module_of(self.roots, name)


def _module_of(roots: ImportRoots, name: str) -> ModuleType | None:
    try:
        return roots.load_module(name)
    except RuvonError:
        return None


@contextmanager
def _without_collector() -> Generator[None]:
    """Stop the collector of cycles for a while: compiling makes many objects and hardly any garbage among them."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _compiled(
    source: SourceText, kind: Kind, roots: RecordingRoots, workflow: str | None, place: _Place
) -> CompileResult:
    """Lower and link one text."""
    with _without_collector():
        return _compiled_now(source, kind, roots, workflow, place)


def _compiled_now(
    source: SourceText, kind: Kind, roots: RecordingRoots, workflow: str | None, place: _Place
) -> CompileResult:
    opaque = place.opaque
    if _is_registry(source, kind):
        return _registry(source, roots)
    if kind == "yaml":
        from ruvon_dsl.yaml import in_yaml  # noqa: PLC0415 - PyYAML is loaded only when YAML is compiled

        result = _linked(source, _lower_yaml(source, roots, place), roots, opaque=opaque, workflow=workflow)
        return replace(result, diagnostics=in_yaml(result.diagnostics))
    if opaque:
        return _linked(source, _lower_python(source, None, None), roots, opaque=True, workflow=workflow)
    if place.path is not None:
        loaded = load_file(place.path, source, roots, place.home)
    else:
        loaded = load_text(place.module or "", source, roots)
    if isinstance(loaded, ModuleType):
        roots.record(loaded.__name__)
        return _linked(source, _lower_python(source, loaded, None), roots, opaque=False, workflow=workflow)
    shape = _linked(source, _lower_python(source, None, None), roots, opaque=True, workflow=workflow)
    return CompileResult((), in_order([*_instead_of(loaded, shape.diagnostics), *shape.diagnostics]))


def _registry(source: SourceText, roots: ImportRoots) -> CompileResult:
    from ruvon_dsl.yaml import registry_findings  # noqa: PLC0415 - PyYAML is loaded only when YAML is compiled

    found = registry_findings(source, Path(source.file).parent, _defined_in, allowed=roots.folders)
    return CompileResult((), in_order(found))


def _is_registry(source: SourceText, kind: Kind) -> bool:
    if kind != "yaml":
        return False
    from ruvon_dsl.yaml import is_registry_text  # noqa: PLC0415 - PyYAML is loaded only when YAML is compiled

    return is_registry_text(source.text)


def _defined_in(path: Path) -> tuple[Definition, ...]:
    """What a workflow file defines, by its shape; a registry inside a registry defines nothing."""
    source = _read(path)
    if isinstance(source, Diagnostic) or path.suffix == ".json" or _is_registry(source, _kind_of(path)):
        return ()
    return tuple(item.definition for item in check_file(path).definitions)


def _instead_of(failed: Sequence[Diagnostic], shape: Sequence[Diagnostic]) -> list[Diagnostic]:
    """The findings of an import, without those that the front end says better because it has read the text."""
    seen = {item.code for item in shape if item.severity is Severity.ERROR}
    lines = {item.span.start.line for item in shape if item.span is not None and item.severity is Severity.ERROR}
    unreadable = any(code.startswith("RV01") for code in seen)

    def said(item: Diagnostic) -> bool:
        if seen & _SAID_BETTER.get(item.code, frozenset()):
            return True
        here = item.span is not None and item.span.start.line in lines
        if "SyntaxError" in item.message:
            return unreadable or here or bool(seen & _SYNTAX_SAID_BETTER)
        return here and "unexpected keyword argument" in item.message and _UNKNOWN_OPTION in seen

    return [item for item in failed if not said(item)]


def _lower_python(source: SourceText, module: ModuleType | None, only: str | None) -> list[Draft] | list[Diagnostic]:
    from ruvon_dsl.python import lower_module  # noqa: PLC0415 - libcst is loaded only when Python is compiled

    lookup = None if module is None else ModuleLookup(module, builtins=True)
    classes = {} if module is None else step_classes(list(vars(module).values()))
    try:
        return [replace(draft, step_types=classes) for draft in lower_module(source, lookup, only=only)]
    except DefinitionError as exc:
        return list(exc.diagnostics)


def _lower_yaml(source: SourceText, roots: ImportRoots, place: _Place) -> list[Draft] | list[Diagnostic]:
    from ruvon_dsl.yaml import lower_file  # noqa: PLC0415 - PyYAML is loaded only when YAML is compiled

    try:
        return lower_file(
            source, roots=roots, opaque=place.opaque, step_types=place.step_types, environment=place.environment
        )
    except DefinitionError as exc:
        return list(exc.diagnostics)


def _linked(
    source: SourceText,
    lowered: Sequence[Draft] | Sequence[Diagnostic],
    roots: ImportRoots,
    *,
    opaque: bool,
    workflow: str | None,
) -> CompileResult:
    found: list[Diagnostic] = [item for item in lowered if isinstance(item, Diagnostic)]
    drafts = [item for item in lowered if isinstance(item, Draft)]
    done: list[CompiledWorkflow] = []
    for draft in drafts:
        if workflow is not None and not _is_called(draft, workflow):
            continue
        linked = link(draft, roots, opaque=opaque)
        found.extend(linked.diagnostics)
        if linked.definition is not None:
            done.append(
                CompiledWorkflow(
                    definition=linked.definition,
                    digest=linked.digest,
                    span=draft.span,
                    path=draft.path,
                    file=source.file,
                    step_types=draft.step_types,
                )
            )
    if not done and not found:
        found.append(_no_workflow(source, workflow, drafts))
    return CompileResult(tuple(done), in_order(found))


def _is_called(draft: Draft, workflow: str) -> bool:
    function = None if draft.path is None else draft.path.rpartition(":")[2]
    return workflow in (draft.definition.workflow_type, function, draft.path) or draft.path is None


def _no_workflow(source: SourceText, workflow: str | None, drafts: Sequence[Draft]) -> Diagnostic:
    names = ", ".join(f"`{draft.definition.workflow_type}`" for draft in drafts)
    missing = f"`{source.file}` defines no workflow" + (f" `{workflow}`" if workflow else "")
    help_ = f"it defines {names}" if names else "decorate an `async def` with @workflow, or write `workflow_type:`"
    return Diagnostic(code=NO_WORKFLOW, message=missing, span=Span.at(source.file, 1, 1), help=help_)


# --- sources ----------------------------------------------------------------------------------------------------------


def _kind_of(path: Path) -> Kind:
    return "yaml" if path.suffix.lower() in {".yaml", ".yml"} else "python"


def _read(path: Path) -> SourceText | Diagnostic:
    try:
        return SourceText(str(path), path.read_text(encoding="utf-8-sig"))
    except OSError as exc:
        reason = exc.strerror or type(exc).__name__
    except UnicodeDecodeError as exc:
        reason = f"it is not UTF-8 text ({exc.reason} at byte {exc.start})"
    return Diagnostic(code=NO_WORKFLOW, message=f"`{path}` cannot be read: {reason}", help="check the path")


def _find_module(name: str) -> Path | None:
    """The file of a module, found without importing anything but its packages."""
    import importlib.util  # noqa: PLC0415 - only for targets that are no files

    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    origin = None if spec is None else spec.origin
    return Path(origin) if origin is not None and origin.endswith(".py") else None


def _source_of(module: ModuleType | None) -> str | None:
    if module is None:
        return None
    try:
        return inspect.getsource(module)
    except (OSError, TypeError):
        return None


# --- the cache --------------------------------------------------------------------------------------------------------


def _entry(result: CompileResult, roots: RecordingRoots, asked: set[tuple[str, str]], *, trusted: bool = True) -> Entry:
    """What is kept of a result; without trust in the files every value is compared, whether they decide it or not."""
    workflows = tuple(
        CachedWorkflow(item.definition, item.digest or b"", item.span, item.path, item.file)
        for item in result.definitions
    )
    watched, looked_up = roots.dependencies(), asked | roots.paths
    libraries = roots.libraries(homes_of(looked_up, (item.definition for item in result.definitions)) - watched.keys())
    taken = taken_from(looked_up, watched.keys() if trusted else ())
    return Entry(workflows, result.diagnostics, (*watched.values(), *libraries.values()), taken)


def _restored(entry: Entry) -> CompileResult:
    workflows = tuple(
        CompiledWorkflow(
            definition=item.definition, digest=item.digest or None, span=item.span, path=item.path, file=item.file
        )
        for item in entry.workflows
    )
    return CompileResult(workflows, entry.diagnostics)
