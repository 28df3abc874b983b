"""Registry files against the files and packages they name: every entry must be one that a builder could offer.

`load_registry` reads the registry alone; here its entries are held against what is around it. How a workflow file is read
is the caller's part, because the compile driver stands above the front ends.
"""

import importlib.metadata
import importlib.util
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from ruvon.ir._diagnostics import Diagnostic, Severity
from ruvon.ir._nodes import Definition
from ruvon_dsl._draft import SourceText
from ruvon_dsl.yaml import _codes as codes
from ruvon_dsl.yaml._registry import RegistryEntry, load_registry

__all__ = ["is_installed", "outside_finding", "registry_findings"]

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_NO_MODEL: Final = "dict[str, object]"


def registry_findings(
    source: SourceText,
    folder: Path,
    definitions_of: Callable[[Path], Sequence[Definition]],
    *,
    allowed: Sequence[Path] = (),
) -> list[Diagnostic]:
    """Everything about a registry file: its own mistakes, and entries that cannot be offered.

    Args:
        source: The registry's name and text.
        folder: Where its `config_file`s are looked up.
        definitions_of: What a workflow file defines, by its shape alone; nothing where it cannot be read.
        allowed: The folders that files may lie in besides the registry's own.
    """
    registry = load_registry(source)
    found = list(registry.diagnostics)
    for entry in registry.entries:
        outside = outside_finding(entry, folder, allowed)
        if outside is not None:
            found.append(outside)
        elif entry.enabled:
            found += [*_file_findings(entry, folder / entry.config_file, definitions_of), *_package_findings(entry)]
    return found


def outside_finding(entry: RegistryEntry, folder: Path, allowed: Sequence[Path]) -> Diagnostic | None:
    """What is wrong where the file of an offered entry lies outside of the registry's folder and the allowed ones.

    Links are followed: a registry may not lead to files that its folder only seems to hold.
    """
    place = (folder / entry.config_file).resolve()
    if not entry.enabled or any(place.is_relative_to(item.resolve()) for item in (folder, *allowed)):
        return None
    message = f"`{entry.type}`: `{entry.config_file}` lies outside of the registry's folder"
    help_ = "move the file below it, or allow its folder as an import root"
    return _finding(entry, "config_file", message, help_)


def _file_findings(
    entry: RegistryEntry, path: Path, definitions_of: Callable[[Path], Sequence[Definition]]
) -> Iterator[Diagnostic]:
    if not path.is_file():
        help_ = "correct the path, which starts at the registry's folder, or take the entry out"
        yield _finding(entry, "config_file", f"`{entry.type}`: there is no file `{entry.config_file}`", help_)
        return
    defined = definitions_of(path)
    own = [item for item in defined if item.workflow_type == entry.type]
    if defined and not own:
        types = ", ".join(f"`{item.workflow_type}`" for item in defined)
        message = f"`{entry.config_file}` does not define `{entry.type}` but {types}"
        yield _finding(entry, "type", message, "use the file's `workflow_type` as the entry's `type`")
    for definition in own[:1]:
        wanted = entry.initial_state_model
        if (
            wanted is not None
            and definition.state != _NO_MODEL
            and _class_name(wanted) != _class_name(definition.state)
        ):
            message = f"the state of `{entry.type}` is `{definition.state}`, not `{wanted}`"
            yield _finding(entry, "initial_state_model", message, "drop the key here; the workflow file says it")


def _class_name(path: str) -> str:
    return re.split(r"[.:]", path)[-1]


def _package_findings(entry: RegistryEntry) -> Iterator[Diagnostic]:
    for requirement in entry.requires:
        if not is_installed(requirement):
            message = f"`{entry.type}` needs `{requirement}`, which is not installed here"
            help_ = "install it where the workflow is to run; without it the workflow is not offered"
            yield _finding(entry, "requires", message, help_, Severity.WARNING)


def _finding(
    entry: RegistryEntry, key: str, message: str, help_: str, severity: Severity = Severity.ERROR
) -> Diagnostic:
    span = entry.spans.get(key, entry.span)
    return Diagnostic(code=codes.CANNOT_BE_OFFERED, message=message, span=span, help=help_, severity=severity)


def is_installed(requirement: str) -> bool:
    """Whether a package is there, by the name it is imported or distributed under; extras and versions are ignored."""
    match = _NAME.match(requirement.strip())
    if match is None:
        return False
    name = match.group().partition(".")[0].replace("-", "_")
    try:
        if importlib.util.find_spec(name) is not None:
            return True
    except ValueError:  # loaded without a spec, so it is there
        return True
    try:
        return bool(importlib.metadata.distribution(match.group()).version)
    except importlib.metadata.PackageNotFoundError:
        return False
