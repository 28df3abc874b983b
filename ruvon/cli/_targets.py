"""What TARGET means: a YAML file, a Python file, `module:function`, a compiled definition, or a registered type."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ruvon.cli._output import Exit, fail
from ruvon.cli._settings import setting

if TYPE_CHECKING:
    from ruvon.ir import Definition, Diagnostic, ImportRoots

__all__ = ["Compiled", "compile_target", "import_roots", "one_definition", "source_texts"]

SUFFIXES = frozenset({".py", ".yaml", ".yml", ".json"})


@dataclass(frozen=True, slots=True)
class Compiled:
    """What a target gave: the definitions that are sound, and every finding."""

    definitions: "tuple[Definition, ...]"
    diagnostics: "tuple[Diagnostic, ...]"
    roots: tuple[str, ...] = ()
    """The import roots that running them needs beside the given ones."""


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


def compile_target(target: str, *, roots: tuple[str, ...] = (), check_only: bool = False) -> Compiled:
    """Compile whatever TARGET names; an unknown one ends the command."""
    path = Path(target)
    if path.suffix in SUFFIXES or path.exists():
        return _compile_file(path, roots, check_only=check_only)
    if ":" in target:
        import ruvon_dsl  # noqa: PLC0415  # the compilers load only when something is compiled

        found = ruvon_dsl.compile_target(target, roots=import_roots(roots))
        package = target.partition(":")[0].partition(".")[0]
        return Compiled(tuple(item.definition for item in found.definitions), found.diagnostics, (package,))
    return _registered(target, roots)


def _compile_file(path: Path, roots: tuple[str, ...], *, check_only: bool) -> Compiled:
    import ruvon_dsl  # noqa: PLC0415
    from ruvon.ir import IRError, load, require_valid  # noqa: PLC0415

    if path.is_dir():
        fail(f"{path} is a folder; name a file in it (`ruvon validate {path}` checks them all)", Exit.USAGE)
    if not path.is_file():
        fail(f"there is no file {path}", Exit.NOT_FOUND)
    if path.suffix == ".json":
        try:
            return Compiled((require_valid(load(path.read_bytes())),), ())
        except IRError as exc:
            return Compiled((), exc.diagnostics)
    allowed = import_roots(roots)
    found = ruvon_dsl.check_file(path) if check_only else ruvon_dsl.compile_file(path, roots=allowed)
    return Compiled(tuple(item.definition for item in found.definitions), found.diagnostics, (str(_home(path)),))


def _home(path: Path) -> Path:
    """The folder that a file's code is imported from: the one around its package."""
    folder = path.resolve().parent
    while (folder / "__init__.py").exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def _registered(name: str, roots: tuple[str, ...]) -> Compiled:  # noqa: RET503  # `fail` never returns
    """A type in the workflow folder."""
    import difflib  # noqa: PLC0415

    folder = Path(setting("workflows"))
    known: dict[str, Definition] = {}
    for file in sorted(folder.rglob("*")) if folder.is_dir() else []:
        if file.suffix in {".yaml", ".yml", ".py"}:
            compiled = _compile_file(file, roots, check_only=False)
            if any(item.workflow_type == name for item in compiled.definitions):
                return compiled
            known.update({item.workflow_type: item for item in compiled.definitions})
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    fail(f"there is no file and no workflow type `{name}` (workflow folder: {folder}){hint}", Exit.NOT_FOUND)


def one_definition(compiled: Compiled, name: str | None) -> "Definition | None":
    """The definition that a command is about; several without a choice end the command."""
    found = [item for item in compiled.definitions if name is None or item.workflow_type == name]
    if len(found) > 1:
        types = ", ".join(item.workflow_type for item in found)
        fail(f"the target holds several workflows; choose one with --workflow: {types}", Exit.USAGE)
    if not found and name is not None and compiled.definitions:
        fail(f"the target has no workflow `{name}`", Exit.NOT_FOUND)
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
