"""The registry behind a builder: which workflow types there are, found in whatever form they were given.

Files are compiled when their type is first asked for. The compilers are reached by one lazy import, and not at all for
definitions given as IR.
"""

import importlib.util
import logging
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any, Final, Literal, cast, final

from ruvon._arguments import require_type
from ruvon._clashes import Sourced, clash
from ruvon._plugins import PluginContents, PluginInfo, Plugins, contents_of
from ruvon._registrations import Registration
from ruvon._step_types import StepTypes
from ruvon.engine import UnknownWorkflowTypeError
from ruvon.ir._canonical import digest, load
from ruvon.ir._diagnostics import Diagnostic
from ruvon.ir._errors import DefinitionError, RuvonError
from ruvon.ir._nodes import Definition
from ruvon.ir._paths import ImportRoots
from ruvon.ir._spans import Span
from ruvon.models import WorkflowStep

if TYPE_CHECKING:
    from ruvon_dsl import CompileResult

__all__ = ["DefinitionRegistry"]

_LOGGER: Final = logging.getLogger("ruvon.builder")
_SUFFIXES: Final = (".py", ".yaml", ".yml", ".json")
_REGISTRY_FILES: Final = ("workflow_registry.yaml", "workflow_registry.yml", "registry.yaml")

_STRANDED: Final = "RV0372"


@final
@dataclass(frozen=True, slots=True)
class _Stored:
    """A definition that a file holds as IR."""

    definition: Definition
    digest: bytes | None
    span: Span | None
    file: str


@final
class DefinitionRegistry:
    """Definitions by type and version."""

    def __init__(self, roots: ImportRoots, step_types: StepTypes) -> None:
        self.roots = roots
        self.durable = False
        """Whether what is registered is run from a store that other processes read."""
        self.step_types = step_types
        step_types.look_in_files = self._look_for_types
        self.import_cache: dict[str, object] = {}
        """Objects by path that any builder has loaded."""
        self._loaded: dict[str, object] = {}
        """Those that this one has, so that a second look-up imports nothing."""
        self._ready: dict[str, dict[str, Definition]] = {}
        self._newest: dict[str, Definition] = {}
        self._sources: dict[tuple[str, str], Sourced] = {}
        """Where each type and version was first compiled from."""
        self._compared: set[str] = set()
        """Types that no file which is not compiled yet defines differently."""
        self._files: list[Path] = []
        self._expected: dict[str, Path] = {}
        """Files whose type is known without compiling them, from a registry file."""
        self._objects: list[object] = []
        self._registered: dict[str, Registration] = {}
        self._paths: dict[str, str] = {}
        """Where the Python workflows of files are, which say by their decorators when they are started."""
        self.plugins = Plugins()
        self.observers: list[object] = []
        """Observers that plugins bring."""
        self._of_plugins: dict[Path, str] = {}
        """Which plugin a file belongs to."""

    # Registering

    def add(self, definition: Definition) -> None:
        """Register a definition; it becomes the current one of its type."""
        self._ready.setdefault(definition.workflow_type, {})[definition.workflow_version] = definition
        self._newest[definition.workflow_type] = definition

    def add_compiled(self, item: Sourced) -> None:
        """Register a definition with the file that it came from.

        Raises:
            DefinitionError: another file defines the type and version differently.
        """
        self._require_same(item)
        self.add(item.definition)

    def add_object(self, workflow: object) -> None:
        """Register a Python workflow; it is compiled at once, but for one whose module is still being imported.

        Raises:
            TypeError: it is no workflow.
            DefinitionError: it has mistakes.
        """
        declared: Any = getattr(workflow, "__ruvon_workflow__", None)
        if declared is None:
            raise TypeError(f"{workflow!r} is no workflow: decorate the function with @workflow")
        home = declared.function.__module__ if declared.function is not None else "ruvon"
        self.roots.allow_package(home)
        self._registered[declared.workflow_type] = Registration.of_declaration(declared)
        if getattr(getattr(sys.modules.get(home), "__spec__", None), "_initializing", False):
            self._objects.append(workflow)  # names below it are not there yet
        else:
            self._compile_object(workflow)
            for child in _named_workflows(declared.function):
                if child.__ruvon_workflow__.workflow_type not in self._registered:
                    self.add_object(child)

    def add_file(self, path: Path) -> None:
        """Register a `.py`, `.yaml`, `.yml` or `.json` (IR) file."""
        if not path.is_file():
            raise FileNotFoundError(f"there is no workflow file {path}")
        self.roots.allow_folder(path.parent)
        if path not in self._files:
            self._files.append(path)
            self._compared.clear()

    def add_folder(self, folder: Path) -> None:
        """Register a folder: by its registry file where it has one, else every workflow file in it."""
        if not folder.is_dir():
            raise FileNotFoundError(f"there is no folder {folder}")
        for name in _REGISTRY_FILES:
            if (folder / name).is_file():
                self.add_registry(folder / name)
                return
        for path in sorted(folder.iterdir()):
            if path.suffix in _SUFFIXES and not path.name.startswith(("_", ".")) and _may_define(path):
                self.add_file(path)

    def add_registry(self, path: Path) -> None:
        """Register what a registry file lists; entries that are disabled or lack a requirement are left out.

        Raises:
            DefinitionError: the registry file has mistakes, or names a file outside of its folder and the import roots.
        """
        from ruvon_dsl._draft import SourceText  # noqa: PLC0415 - the compilers load when a source is given
        from ruvon_dsl.yaml import load_registry, outside_finding  # noqa: PLC0415 - as above

        found = load_registry(SourceText(str(path), path.read_text(encoding="utf-8")))
        if found.diagnostics and not found.entries:
            raise DefinitionError(found.diagnostics)
        outside = [outside_finding(entry, path.parent, self.roots.folders) for entry in found.entries]
        if any(outside):
            raise DefinitionError([finding for finding in outside if finding is not None])
        for entry in found.entries:
            missing = [name for name in entry.requires if importlib.util.find_spec(name.split("[")[0]) is None]
            if missing:
                _LOGGER.warning("%s is not offered: %s is not installed", entry.type, ", ".join(missing))
            if entry.enabled and not missing:
                file = path.parent / entry.config_file
                self.add_file(file)
                self._expected[entry.type] = file
                self._registered[entry.type] = Registration.of_entry(entry)

    def add_plugins(self) -> None:
        """Register what installed plugins bring; one that cannot be used is left out."""
        self.plugins.load(self._use_plugin)

    def add_plugin(self, info: PluginInfo) -> None:
        """Register what one plugin brings.

        Raises:
            ValueError: its description is not whole.
        """
        self.plugins.add(info, self._use_plugin)

    def plugin_contents(self) -> list[PluginContents]:
        """What each usable plugin brings; its steps are imported and its workflows compiled to know it."""
        return [self._contents(info) for info in self.plugins.usable.values()]

    def _contents(self, info: PluginInfo) -> PluginContents:
        from ruvon_dsl import compile_file, require  # noqa: PLC0415 - the compilers load when a source is given

        problems: list[str] = []
        values: dict[str, Any] = {}
        if info["steps_module"]:
            try:
                values = vars(self.roots.load_module(str(info["steps_module"])))
            except RuvonError as exc:
                problems.append(str(exc))
        workflows: list[str] = []
        for path in (path for path, name in self._of_plugins.items() if name == str(info["name"])):
            try:
                found = require(compile_file(path, roots=self.roots, step_types=self.fields_of))
                workflows.extend(item.definition.workflow_type for item in found)
            except RuvonError as exc:
                problems.append(str(exc))
        return replace(contents_of(info, values.items(), workflows), problems=tuple(problems))

    def _use_plugin(self, info: PluginInfo) -> None:
        name = str(info["name"])
        for key in ("steps_module", "models_module"):
            if info[key]:
                self.roots.allow_package(str(info[key]))
        made = [self._observer_of(item) for item in cast("Iterable[object]", info.get("observers") or ())]
        if info["workflows_dir"]:
            before = set(self._files)
            self.add_folder(Path(str(info["workflows_dir"])))
            self._of_plugins.update({path: name for path in self._files if path not in before})
        if info["steps_module"]:
            steps = str(info["steps_module"])
            self.step_types.add_module(name, lambda: vars(self.roots.load_module(steps)).values())
        self.observers.extend(made)

    def _observer_of(self, item: object) -> object:
        """An observer that a plugin names by path, or gives; a class is called."""
        found = self.load(item) if isinstance(item, str) else item
        return found() if isinstance(found, type) else found

    # Finding

    def find(self, workflow_type: str, version: str | None, /) -> Definition:
        """The current definition of a type, or that of a version."""
        require_type(workflow_type)
        if workflow_type not in self._newest:
            self._compile_for(workflow_type)
        if workflow_type not in self._compared:
            self._compile_others(workflow_type)
            self._compared.add(workflow_type)
        newest = self._newest.get(workflow_type)
        found = newest if version is None else self._ready.get(workflow_type, {}).get(version)
        if found is None:
            raise UnknownWorkflowTypeError(workflow_type, self.types(), version)
        return found

    def types(self) -> list[str]:
        """All registered types; compiles what was not compiled yet."""
        self._compile_for(None)
        return sorted(self._newest)

    def registration(self, workflow_type: str) -> Registration:
        """When a type is started by itself, and how long its ended runs are kept; as its registry file or decorator says.

        Raises:
            UnknownWorkflowTypeError: there is no such type.
        """
        self.find(workflow_type, None)
        known = self._registered.get(workflow_type)
        if known is None or known == Registration():
            path = self._paths.get(workflow_type)
            declared: Any = getattr(self.load(path), "__ruvon_workflow__", None) if path is not None else None
            known = Registration.of_declaration(declared) if declared is not None else known or Registration()
            self._registered[workflow_type] = known
        return known

    def schedule_policy(self, workflow_type: str, /) -> tuple[str, int]:
        """`overlap` and `catch_up` of a type's registration."""
        found = self.registration(workflow_type)
        return found.overlap, found.catch_up

    def load(self, path: str, /) -> object:
        """The object at a path, imported once."""
        found = self._loaded.get(path)
        if found is None:  # also when another builder has it: what may be loaded is each builder's own affair
            found = self._loaded[path] = self.import_cache[path] = self.roots.load(path)
        return found

    # Compiling

    def compile_text(
        self, text: str, kind: Literal["yaml", "python"], file: str, environment: Mapping[str, str] | None
    ) -> "CompileResult":
        """Compile a text that no file holds, with the code and the step types that are allowed here; register nothing."""
        from ruvon_dsl import compile_source  # noqa: PLC0415 - the compilers load when a source is given

        types = self.fields_of if self.step_types.may_have_more else None
        return compile_source(text, kind=kind, file=file, roots=self.roots, step_types=types, environment=environment)

    def _compile_for(self, workflow_type: str | None) -> None:
        """Compile what may hold a type: the object or file that says so, else everything; None compiles everything."""
        for workflow in self._candidates(workflow_type):
            self._compile_object(workflow)
        expected = self._expected.get(workflow_type) if workflow_type is not None else None
        files = [expected] if expected is not None and expected in self._files else list(self._files)
        for path in files:
            if path in self._files and (workflow_type is None or workflow_type not in self._newest):
                self._compile_listed(path)

    def _compile_others(self, workflow_type: str) -> None:
        """Compile the files that name a type too, and may define it differently; one with mistakes is left for later."""
        for path in [item for item in self._files if item.is_file() and workflow_type in _text(item)]:
            if path in self._files:
                try:
                    self._compile_listed(path)
                except _ClashError:
                    raise
                except (RuvonError, OSError):
                    continue

    def _compile_listed(self, path: Path) -> None:
        """Compile a file; one with mistakes stays listed, so that each look tells them, one of a plugin is only logged."""
        self._files.remove(path)  # compiling may look for step types in those that are left
        try:
            self._compile_file(path)
        except (RuvonError, OSError) as exc:
            if path not in self._of_plugins:
                self._files.append(path)
                raise
            _LOGGER.warning("%s of the plugin `%s` cannot be used: %s", path.name, self._of_plugins[path], exc)

    def _look_for_types(self) -> None:
        """Compile what was not compiled yet, for the step types that its modules hold."""
        for path in list(self._files):
            if path in self._files:
                with suppress(RuvonError):  # whoever asks for its workflows is told
                    self._compile_listed(path)

    def _candidates(self, workflow_type: str | None) -> Iterator[object]:
        for workflow in list(self._objects):
            declared: Any = getattr(workflow, "__ruvon_workflow__", None)
            if workflow_type is None or declared.workflow_type == workflow_type:
                self._objects.remove(workflow)
                yield workflow

    def _compile_object(self, workflow: object) -> None:
        from ruvon_dsl import compile_function, require  # noqa: PLC0415 - the compilers load when a source is given
        from ruvon_dsl._link import custom_types  # noqa: PLC0415 - as above

        result = compile_function(workflow, roots=self.roots)
        for item in require(result):
            self._require_same(item)
            self._offer_types(item.step_types, custom_types(item.definition))
            self.add(item.definition)
        if self.durable:
            for warning in result.diagnostics:
                if warning.code == _STRANDED:
                    _LOGGER.warning("%s: %s; %s", warning.code, warning.message, warning.help)

    def _compile_file(self, path: Path) -> None:
        if path.suffix == ".json":
            definition = load(path.read_bytes())
            self._require_same(_Stored(definition, digest(definition), Span.at(str(path), 1, 1), str(path)))
            self.add(definition)
            return
        from ruvon_dsl import compile_file, require  # noqa: PLC0415 - the compilers load when a source is given
        from ruvon_dsl._link import custom_types  # noqa: PLC0415 - as above

        step_types = self.fields_of if self.step_types.may_have_more else None
        found = require(compile_file(path, roots=self.roots, step_types=step_types))
        wanted = {name for item in found for name in custom_types(item.definition)}
        if any(self.step_types.find(name) is None for name in wanted) and not any(item.step_types for item in found):
            found = require(compile_file(path, roots=self.roots, step_types=step_types, cache=False))
        for item in found:
            self._require_same(item)
            self._offer_types(item.step_types, wanted)
            if not self._is_newer(item.definition):
                self.add(item.definition)
                if item.path is not None:
                    self._paths[item.definition.workflow_type] = item.path

    def _require_same(self, item: Sourced) -> None:
        """Refuse a definition that another file defines differently under the same type and version."""
        key = (item.definition.workflow_type, item.definition.workflow_version)
        finding = clash(self._sources.setdefault(key, item), item)
        if finding is not None:
            raise _ClashError([finding])

    def _is_newer(self, definition: Definition) -> bool:
        """Whether a version of this type is registered already that was given later."""
        return definition.workflow_version in self._ready.get(definition.workflow_type, {})

    def fields_of(self, name: str) -> tuple[str, ...] | None:
        """The fields of a step type that is registered or that a plugin brings; None for another name."""
        cls = self.step_types.find(name)
        return tuple(cls.model_fields) if cls is not None else None

    def _offer_types(self, classes: Mapping[str, type[WorkflowStep]], wanted: Collection[str]) -> None:
        """Register the step types that a definition uses and its modules hold, as far as their code is allowed."""
        for name in wanted:
            cls = classes.get(name)
            if cls is not None and self.step_types.find(name) is None:
                self.step_types.offer(
                    name, cast("type[WorkflowStep]", self.load(f"{cls.__module__}:{cls.__qualname__}"))
                )

    def problems(self) -> list[Diagnostic]:
        """Findings of every registered file that does not compile."""
        found: list[Diagnostic] = []
        for path in list(self._files):
            try:
                self._compile_file(path)
            except DefinitionError as exc:
                found.extend(exc.diagnostics)
            except RuvonError as exc:
                found.append(Diagnostic(code="RV0901", message=str(exc)))
        return found


def _named_workflows(function: Any) -> Iterator[Any]:
    """The Python workflows whose names a body uses: what it may start."""
    if function is None:
        return
    pending = [function.__code__]
    while pending:
        code = pending.pop()
        for name in code.co_names:
            found = function.__globals__.get(name)
            declared = getattr(found, "__ruvon_workflow__", None)
            if declared is not None and declared.function is not None:
                yield found
        pending.extend(item for item in code.co_consts if isinstance(item, CodeType))


class _ClashError(DefinitionError):
    """Two files define one type and version differently."""


_MARKS: Final = {".py": "@workflow", ".json": '"ir_version"'}
"""What a file of a kind holds if it defines a workflow; others of its kind are steps, models or data."""


def _may_define(path: Path) -> bool:
    """Whether a file of a folder may hold a workflow; steps alone and YAML of other tools are none of our business."""
    mark = _MARKS.get(path.suffix)
    if mark is not None:
        return mark in _text(path)
    from ruvon_dsl.yaml import is_workflow_text  # noqa: PLC0415 - the compilers load when a source is given

    return is_workflow_text(_text(path))


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
