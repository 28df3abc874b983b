"""What TARGET means: a YAML file, a Python file, `module:function`, a compiled definition, or a registered type."""

import difflib
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ruvon.cli._output import Exit, fail, shortened
from ruvon.cli._settings import setting

if TYPE_CHECKING:
    from collections.abc import Callable

    from ruvon.ir import Definition, Diagnostic, ImportRoots
    from ruvon_dsl import CompiledWorkflow, CompileResult

__all__ = [
    "Compiled",
    "Needs",
    "UnknownTypeError",
    "compile_target",
    "flow_files",
    "import_roots",
    "one_workflow",
    "source_texts",
    "types_of_plugins",
]

SUFFIXES = frozenset({".py", ".yaml", ".yml", ".json"})


class UnknownTypeError(Exception):
    """A target is neither a file nor a workflow type that can be found; the sentence says where it was looked for."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """What a target gave: the workflows that are sound, and every finding."""

    workflows: "tuple[CompiledWorkflow, ...]"
    diagnostics: "tuple[Diagnostic, ...]"
    roots: tuple[str, ...] = ()
    """The import roots that running them needs beside the given ones."""
    files: tuple[str, ...] = ()
    """Where those of them that use step types of the author's own are defined: the modules named there hold the types."""

    @property
    def needs(self) -> "Needs":
        """What running them needs."""
        return Needs(self.roots, self.files)

    @property
    def definitions(self) -> "tuple[Definition, ...]":
        """The graphs of the workflows."""
        return tuple(item.definition for item in self.workflows)


@dataclass(frozen=True, slots=True)
class Needs:
    """What a process needs beside the given options to run what a target holds."""

    roots: tuple[str, ...] = ()
    """Import roots."""
    files: tuple[str, ...] = ()
    """Files that bring step types."""


def import_roots(extra: tuple[str, ...] = ()) -> "ImportRoots":
    """The roots that definitions may take code from: the working folder, the settings' and the given ones."""
    from ruvon.ir import ImportRoots  # noqa: PLC0415

    roots = ImportRoots.from_environment()
    roots.allow_folder(Path.cwd())
    for entry in (*setting("import_roots").replace(",", ":").split(":"), *extra):
        if not entry:
            continue
        if Path(entry).is_dir():
            roots.allow_folder(Path(entry))
        else:
            roots.allow_package(entry)
    return roots


def compile_target(
    target: str, *, roots: tuple[str, ...] = (), workflows: tuple[str, ...] = (), check_only: bool = False
) -> Compiled:
    """Compile whatever TARGET names; a file that is not there ends the command.

    Args:
        target: a file, `module:function`, or a type.
        roots: more import roots.
        workflows: where types are looked up, in place of the workflow folder.
        check_only: import none of its code.

    Raises:
        UnknownTypeError: it names no file, and no type that can be found.
    """
    path = Path(target)
    if path.suffix in SUFFIXES or path.exists():
        return _compile_file(path, roots, check_only=check_only)
    if ":" in target:
        import ruvon_dsl  # noqa: PLC0415  # the compilers load only when something is compiled

        found = ruvon_dsl.compile_target(target, roots=import_roots(roots))
        package = target.partition(":")[0].partition(".")[0]
        return _compiled(found, package)
    return _of_type(target, roots, tuple(Path(place) for place in workflows) or (Path(setting("workflows")),))


def _compile_file(path: Path, roots: tuple[str, ...], *, check_only: bool) -> Compiled:
    import ruvon_dsl  # noqa: PLC0415

    if path.is_dir():
        fail(f"{path} is a folder; name a file in it (`ruvon validate {path}` checks them all)", Exit.USAGE)
    if not path.is_file():
        fail(f"there is no file {path}", Exit.NOT_FOUND)
    if path.suffix == ".json":
        return _stored(path)
    allowed = import_roots(roots)
    if check_only:
        found = ruvon_dsl.check_file(path)
    else:
        found = ruvon_dsl.compile_file(path, roots=allowed, step_types=types_of_plugins(allowed))
    return _compiled(found, str(_home(path)))


def _compiled(found: "CompileResult", root: str) -> Compiled:
    from ruvon_dsl._link import custom_types  # noqa: PLC0415

    files = {item.file: None for item in found.definitions if custom_types(item.definition)}
    return Compiled(found.definitions, found.diagnostics, (root,), tuple(files))


def _stored(path: Path) -> Compiled:
    """A compiled definition that a file holds."""
    from ruvon.ir import IRError, load, require_valid  # noqa: PLC0415

    try:
        return Compiled((_as_compiled(require_valid(load(path.read_bytes())), str(path)),), ())
    except IRError as exc:
        return Compiled((), exc.diagnostics)


def _as_compiled(definition: "Definition", file: str) -> "CompiledWorkflow":
    import ruvon_dsl  # noqa: PLC0415
    from ruvon import ir  # noqa: PLC0415

    return ruvon_dsl.CompiledWorkflow(
        definition=definition, digest=ir.digest(definition), span=ir.Span.at(file, 1, 1), path=None, file=file
    )


def types_of_plugins(roots: "ImportRoots") -> "Callable[[str], tuple[str, ...] | None] | None":
    """The step types that installed plugins bring, whose packages become import roots; None where none is installed."""
    from importlib.metadata import entry_points  # noqa: PLC0415

    from ruvon._plugins import GROUP  # noqa: PLC0415

    if not entry_points(group=GROUP):
        return None
    from ruvon._definitions import DefinitionRegistry  # noqa: PLC0415
    from ruvon._step_types import StepTypes  # noqa: PLC0415

    registry = DefinitionRegistry(roots, StepTypes())
    registry.add_plugins()
    return registry.fields_of if registry.step_types.may_have_more else None


def _home(path: Path) -> Path:
    """The folder that a file's code is imported from: the one around its package."""
    folder = path.resolve().parent
    while (folder / "__init__.py").exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def _of_type(name: str, roots: tuple[str, ...], places: tuple[Path, ...]) -> Compiled:
    """A type that a file of these places defines; two that define it differently are a finding."""
    import ruvon_dsl  # noqa: PLC0415
    from ruvon._clashes import clashes  # noqa: PLC0415

    absent = [place for place in places if not place.exists() and str(place) != setting("workflows")]
    if absent:
        fail(f"there is no file and no folder {absent[0]}", Exit.NOT_FOUND)
    files = [file for place in places for file in flow_files(place)]
    broken: list[Compiled] = []
    found: list[tuple[CompiledWorkflow, Compiled]] = []
    for file in files:
        if name not in file.read_text(encoding="utf-8", errors="replace"):
            continue
        compiled = _compile_file(file, roots, check_only=False)
        own = [item for item in compiled.workflows if item.definition.workflow_type == name]
        found.extend((item, compiled) for item in own)
        if not own and compiled.diagnostics:
            broken.append(compiled)
    if found:
        first = found[0][1]
        different = clashes(item for item, _ in found)
        return replace(first, diagnostics=(*first.diagnostics, *different))
    if broken:
        return broken[0]
    brought = _of_plugins(roots)
    if name in brought:
        return Compiled((_as_compiled(brought[name], "a plugin"),), ())
    checked = (item for file in files for item in ruvon_dsl.check_file(file).definitions)
    known = set(brought).union(item.definition.workflow_type for item in checked)
    where = ", ".join(map(str, places))
    hint = (
        _near(name, known) if files or known else "; name a file, or give the place of workflow files with --workflows"
    )
    raise UnknownTypeError(f"there is no file and no workflow type `{shortened(name)}` (looked in: {where}){hint}")


def _of_plugins(roots: tuple[str, ...]) -> "dict[str, Definition]":
    """The workflows that installed plugins bring, by type."""
    from ruvon.builder import WorkflowBuilder  # noqa: PLC0415  # the engine loads only when a command needs it

    builder = WorkflowBuilder(import_roots=import_roots(roots))
    return {item: builder.get_definition(item) for item in builder.registered_types()} if builder.plugins else {}


def _near(name: str, known: Collection[str]) -> str:
    """The end of a sentence about an unknown type: the near one, and all there are."""
    near = difflib.get_close_matches(name, known, n=1)
    guess = [f"did you mean `{near[0]}`?"] if near else []
    names = ", ".join(f"`{item}`" for item in sorted(known))
    every = [f"there {'is' if len(known) == 1 else 'are'} {names}"] if known else []
    return "".join(f"{sign}{text}" for sign, text in zip(("; ", " "), (*guess, *every), strict=False))


def flow_files(place: Path) -> list[Path]:
    """The file itself, or the workflow files of a folder and those in it; hidden folders and environments are left out."""
    if not place.is_dir():
        return [place] if place.is_file() else []
    inner = [file for file in sorted(place.iterdir()) if not file.name.startswith((".", "__"))]
    if (place / "pyvenv.cfg").is_file() or place.name == "node_modules":
        return []
    return [found for item in inner for found in (flow_files(item) if item.is_dir() else [item]) if _is_flow(found)]


def _is_flow(file: Path) -> bool:
    """Whether a file seems to define workflows, or to list them (a registry); read as text, not imported."""
    if file.suffix not in {".py", ".yaml", ".yml"} or not file.is_file():
        return False
    text = file.read_text(encoding="utf-8", errors="replace")
    if file.suffix == ".py":
        return "@workflow" in text
    from ruvon_dsl.yaml import is_registry_text, is_workflow_text  # noqa: PLC0415

    return is_workflow_text(text) or is_registry_text(text)


def one_workflow(compiled: Compiled, name: str | None) -> "CompiledWorkflow | None":
    """The workflow that a command is about; several without a choice end the command."""
    found = [item for item in compiled.workflows if name is None or item.definition.workflow_type == name]
    types = {item.workflow_type for item in compiled.definitions}
    if len(found) > 1:
        names = ", ".join(sorted(types))
        fail(f"the target holds several workflows; choose one with --workflow: {names}", Exit.USAGE)
    if not found and name is not None and types:
        fail(f"the target has no workflow `{name}`{_near(name, types)}", Exit.NOT_FOUND)
    return found[0] if found else None


def source_texts(diagnostics: "tuple[Diagnostic, ...]") -> dict[str, str]:
    """The texts of the files that findings speak of, for their excerpts."""
    texts: dict[str, str] = {}
    for item in diagnostics:
        spans = [item.span, *(related.span for related in item.related)]
        for span in spans:
            if span is not None and span.file not in texts and Path(span.file).is_file():
                texts[span.file] = Path(span.file).read_text(encoding="utf-8", errors="replace")
    return texts
