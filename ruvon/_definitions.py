"""The registry behind a builder: which workflow types there are, found in whatever form they were given.

Files are compiled when their type is first asked for. The compilers are reached by one lazy import, and not at all for
definitions given as IR.
"""

import importlib.metadata
import importlib.util
import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import CodeType
from typing import Any, Final, cast, final

from ruvon._registrations import Registration
from ruvon.engine import UnknownWorkflowTypeError
from ruvon.ir._canonical import load
from ruvon.ir._diagnostics import Diagnostic
from ruvon.ir._errors import DefinitionError, RuvonError
from ruvon.ir._nodes import Definition
from ruvon.ir._paths import ImportRoots
from ruvon.models import WorkflowStep

__all__ = ["DefinitionRegistry", "PluginInfo"]

_LOGGER: Final = logging.getLogger("ruvon.builder")
_SUFFIXES: Final = (".py", ".yaml", ".yml", ".json")
_REGISTRY_FILES: Final = ("workflow_registry.yaml", "workflow_registry.yml", "registry.yaml")
_PLUGIN_KEYS: Final = ("name", "version", "description", "workflows_dir", "steps_module", "models_module")

_STRANDED: Final = "RV0372"

PluginInfo = Mapping[str, Any]


@final
class DefinitionRegistry:
    """Definitions by type and version."""

    def __init__(self, roots: ImportRoots, step_types: dict[str, type[WorkflowStep]]) -> None:
        self.roots = roots
        self.durable = False
        """Whether what is registered is run from a store that other processes read."""
        self.step_types = step_types
        self.import_cache: dict[str, object] = {}
        """Objects by path that any builder has loaded."""
        self._loaded: dict[str, object] = {}
        """Those that this one has, so that a second look-up imports nothing."""
        self._ready: dict[str, dict[str, Definition]] = {}
        self._newest: dict[str, Definition] = {}
        self._files: list[Path] = []
        self._expected: dict[str, Path] = {}
        """Files whose type is known without compiling them, from a registry file."""
        self._objects: list[object] = []
        self._registered: dict[str, Registration] = {}
        self._paths: dict[str, str] = {}
        """Where the Python workflows of files are, which say by their decorators when they are started."""
        self.plugins: dict[str, PluginInfo] = {}

    # Registering

    def add(self, definition: Definition) -> None:
        """Register a definition; it becomes the current one of its type."""
        self._ready.setdefault(definition.workflow_type, {})[definition.workflow_version] = definition
        self._newest[definition.workflow_type] = definition

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
        """Register every installed plugin (entry points of the group `ruvon.plugins`); a broken one is logged."""
        for point in importlib.metadata.entry_points(group="ruvon.plugins"):
            try:
                self.add_plugin(cast("Callable[[], PluginInfo]", point.load())())
            except Exception:  # one broken plugin must not take the others along
                _LOGGER.exception("the plugin `%s` could not be registered", point.name)

    def add_plugin(self, info: PluginInfo) -> None:
        """Register one plugin's description.

        Raises:
            ValueError: a key is missing.
        """
        missing = [key for key in _PLUGIN_KEYS if key not in info]
        if missing:
            raise ValueError(f"the plugin {info.get('name', '?')} does not say its {', '.join(missing)}")
        self.plugins[str(info["name"])] = info
        for key in ("steps_module", "models_module"):
            if info[key]:
                self.roots.allow_package(str(info[key]))
        if info["workflows_dir"]:
            self.add_folder(Path(str(info["workflows_dir"])))

    # Finding

    def find(self, workflow_type: str, version: str | None, /) -> Definition:
        """The current definition of a type, or that of a version."""
        if workflow_type not in self._newest:
            self._compile_for(workflow_type)
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

    def _compile_for(self, workflow_type: str | None) -> None:
        """Compile what may hold a type: the object or file that says so, else everything; None compiles everything."""
        for workflow in self._candidates(workflow_type):
            self._compile_object(workflow)
        expected = self._expected.get(workflow_type) if workflow_type is not None else None
        files = [expected] if expected is not None and expected in self._files else list(self._files)
        for path in files:
            if workflow_type is None or workflow_type not in self._newest:
                self._files.remove(path)
                self._compile_file(path)

    def _candidates(self, workflow_type: str | None) -> Iterator[object]:
        for workflow in list(self._objects):
            declared: Any = getattr(workflow, "__ruvon_workflow__", None)
            if workflow_type is None or declared.workflow_type == workflow_type:
                self._objects.remove(workflow)
                yield workflow

    def _compile_object(self, workflow: object) -> None:
        from ruvon_dsl import compile_function, require  # noqa: PLC0415 - the compilers load when a source is given

        result = compile_function(workflow, roots=self.roots)
        for item in require(result):
            self.add(item.definition)
        if self.durable:
            for warning in result.diagnostics:
                if warning.code == _STRANDED:
                    _LOGGER.warning("%s: %s; %s", warning.code, warning.message, warning.help)

    def _compile_file(self, path: Path) -> None:
        if path.suffix == ".json":
            self.add(load(path.read_bytes()))
            return
        from ruvon_dsl import compile_file, require  # noqa: PLC0415 - the compilers load when a source is given

        step_types = self._fields_of if self.step_types else None
        for item in require(compile_file(path, roots=self.roots, step_types=step_types)):
            if not self._is_newer(item.definition):
                self.add(item.definition)
                if item.path is not None:
                    self._paths[item.definition.workflow_type] = item.path

    def _is_newer(self, definition: Definition) -> bool:
        """Whether a version of this type is registered already that was given later."""
        return definition.workflow_version in self._ready.get(definition.workflow_type, {})

    def _fields_of(self, name: str) -> tuple[str, ...] | None:
        cls = self.step_types.get(name)
        return tuple(cls.model_fields) if cls is not None else None

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


_MARKS: Final = {".py": "@workflow", ".json": '"ir_version"'}
"""What a file of a kind holds if it defines a workflow; others of its kind are steps, models or data."""


def _may_define(path: Path) -> bool:
    """Whether a file of a folder may hold a workflow; a Python file of steps or models alone is none of our business."""
    mark = _MARKS.get(path.suffix)
    return mark is None or mark in path.read_text(encoding="utf-8", errors="replace")
