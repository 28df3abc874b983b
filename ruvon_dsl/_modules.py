"""Importing the module of a file or text that is to be compiled, with findings in place of tracebacks.

The module is made of exactly the text that is compiled (never of a stale `.pyc`), under the name by which steps and
models are found again: its dotted name inside a package, else its stem with the folder on `sys.path`.
"""

import hashlib
import importlib
import importlib.util
import linecache
import sys
import threading
import traceback
from dataclasses import dataclass, fields, replace
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Final, final

from ruvon.authoring._arguments import DecoratorArgumentError
from ruvon.authoring._retry import Retry, RetryArgumentError
from ruvon.ir._diagnostics import Diagnostic
from ruvon.ir._errors import DefinitionError
from ruvon.ir._paths import ImportRoots
from ruvon.ir._spans import Span
from ruvon_dsl._draft import SourceText
from ruvon_dsl._link._codes import IMPORT_FAILED

__all__ = ["Home", "home_of", "load_file", "load_text"]

_LOCK: Final = threading.RLock()
_MADE: Final[dict[str, tuple[str, str]]] = {}
"""Modules that this process made: by name the file (or label) and the hash of the text."""


@final
@dataclass(frozen=True, slots=True)
class Home:
    """Where a file's module belongs: its dotted name, and the folder that must be on `sys.path` for it."""

    name: str
    folder: Path


def home_of(path: Path, name: str | None = None) -> Home:
    """The module name of a Python file: as the caller knows it, else dotted inside packages, else the stem."""
    resolved = path.resolve()
    if name is not None:
        above = name.count(".") + (resolved.stem == "__init__")
        return Home(name, resolved.parents[above])
    parts = [] if resolved.stem == "__init__" else [resolved.stem]
    folder = resolved.parent
    while (folder / "__init__.py").exists() and folder != folder.parent:
        parts.insert(0, folder.name)
        folder = folder.parent
    return Home(".".join(parts), folder)


def load_file(path: Path, source: SourceText, roots: ImportRoots, home: Home) -> ModuleType | list[Diagnostic]:
    """Import the file's module, made of `source`; or what is wrong with it."""
    roots.allow_folder(home.folder)
    with _LOCK:
        clash = _clash(home, path.resolve(), source)
        if clash is not None:
            return [clash]
        known = sys.modules.get(home.name)
        made = _MADE.get(home.name)
        if known is not None and (made is None or made[1] == _hash(source.text)):
            return known
        if str(home.folder) not in sys.path:
            sys.path.insert(0, str(home.folder))
        spec = importlib.util.spec_from_file_location(home.name, path.resolve())
        if spec is None:
            return [_not_python(source)]
        return _made(spec, source, str(path.resolve()))


def load_text(name: str, source: SourceText, roots: ImportRoots) -> ModuleType | list[Diagnostic]:
    """Make a module of a text that no file holds, under a name of the caller's; an earlier such module is replaced."""
    label = source.file if source.file.startswith("<") else f"<{source.file}>"
    with _LOCK:
        known = sys.modules.get(name)
        made = _MADE.get(name)
        if known is not None and (made is None or not made[0].startswith("<")):
            where = getattr(known, "__file__", None) or "Python itself"
            return [_clashing(name, where, source, "give another module name")]
        if known is not None and made is not None and made[1] == _hash(source.text):
            roots.allow_package(name)
            return known
        roots.allow_package(name)
        lines = source.text.splitlines(keepends=True)
        linecache.cache[label] = (len(source.text), None, lines, label)
        return _made(ModuleSpec(name, None, origin=label), source, label)


def _made(spec: ModuleSpec, source: SourceText, label: str) -> ModuleType | list[Diagnostic]:
    module = importlib.util.module_from_spec(spec)
    module.__file__ = label
    parent, _, tail = spec.name.rpartition(".")
    replaced = sys.modules.get(spec.name)
    try:
        package = importlib.import_module(parent) if parent and not label.startswith("<") else None
        code = compile(source.text, label, "exec", dont_inherit=True)
        sys.modules[spec.name] = module
        exec(code, module.__dict__)  # noqa: S102 - importing is what was asked for; law 7's roots decide where from
    except (Exception, SystemExit) as exc:  # noqa: BLE001 - any failure of the author's module is a finding, not ours
        sys.modules.pop(spec.name, None)
        if replaced is not None:
            sys.modules[spec.name] = replaced
        return _import_findings(exc, source, label)
    if package is not None:
        setattr(package, tail, module)
    _MADE[spec.name] = (label, _hash(source.text))
    return module


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _clash(home: Home, path: Path, source: SourceText) -> Diagnostic | None:
    """Another module of the same name: loaded already, or found by Python before this one."""
    help_ = "rename the file, or put it into a package (a folder with `__init__.py`)"
    known = sys.modules.get(home.name)
    if known is not None:
        origin = getattr(known, "__file__", None)
        if origin is not None and Path(origin).resolve() == path:
            return None
        return _clashing(home.name, origin or "Python itself", source, help_)
    top = home.name.partition(".")[0]
    if top in sys.stdlib_module_names:
        return _clashing(top, "Python's own library", source, help_)
    return None


def _clashing(name: str, where: str, source: SourceText, help_: str) -> Diagnostic:
    return Diagnostic(
        code=IMPORT_FAILED,
        message=f"a module named `{name}` is already loaded from {where}",
        span=Span.at(source.file, 1, 1),
        reason="steps and models are found by their module's name, which must be theirs alone",
        help=help_,
    )


def _not_python(source: SourceText) -> Diagnostic:
    message = f"`{source.file}` is not a Python file"
    return Diagnostic(
        code=IMPORT_FAILED, message=message, span=Span.at(source.file, 1, 1), help="give it the ending .py"
    )


def _import_findings(error: BaseException, source: SourceText, label: str) -> list[Diagnostic]:
    """The mistakes that running the module showed, each at the author's own line."""
    if isinstance(error, DefinitionError):
        return [_at_home(item, source, label) for item in error.diagnostics]
    name = type(error).__name__
    span = _span_of(error, source, label)
    match error:
        case ModuleNotFoundError():
            help_ = "install the package, or mend the name"
        case NameError():
            help_ = "define or import the name above this line"
        case SyntaxError():
            help_ = "mend the syntax"
        case RetryArgumentError():
            help_ = f"give {error.accepted}"
        case DecoratorArgumentError():
            help_ = error.accepted
        case TypeError() if str(error).startswith("Retry.__init__()"):
            names = ", ".join(f"`{item.name}`" for item in fields(Retry))
            meant = _COUNTED if "retries'" in str(error) else ""
            help_ = f"`Retry` takes, each by name: {names}{meant}"
        case _:
            help_ = "importing a workflow's module must succeed by itself; move what can fail into a step"
    text = f"{name}: {str(error).strip() or name}"
    if isinstance(error, RetryArgumentError):
        text = f"`{error.argument}` of `Retry` is {error.value!r}"
    elif isinstance(error, DecoratorArgumentError):
        text = error.problem
    return [Diagnostic(code=IMPORT_FAILED, message=f"the module cannot be imported: {text}", span=span, help=help_)]


_COUNTED: Final = "; attempts are counted, the first one included: N retries are `max_attempts=N + 1`"


def _at_home(item: Diagnostic, source: SourceText, label: str) -> Diagnostic:
    """The finding with the name of the file as the caller gave it."""
    if item.span is None or item.span.file != label:
        return item
    return replace(item, span=replace(item.span, file=source.file))


def _span_of(error: BaseException, source: SourceText, label: str) -> Span:
    if isinstance(error, SyntaxError) and error.filename == label:
        return Span.at(source.file, error.lineno or 1, max(error.offset or 1, 1))
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename == label:
            line = frame.lineno or 1
            start, end = (frame.colno or 0) + 1, (frame.end_colno or 0) + 1
            return Span.at(source.file, line, start, frame.end_lineno or line, max(end, start + 1))
    return Span.at(source.file, 1, 1)
