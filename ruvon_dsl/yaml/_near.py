"""The path that a misspelt one was meant to be, found without importing anything but what the roots allow."""

import importlib.util
from collections.abc import Collection, Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path

from ruvon.ir._errors import RuvonError
from ruvon.ir._paths import ImportRoots

__all__ = ["near_path"]


def near_path(path: str, roots: ImportRoots) -> str | None:
    """The module, or the path of an object, that is spelt nearly like this one; None where nothing is near.

    Each part is looked up among what is really there: files and packages in the folders of the roots, and the names of
    a module that can be loaded.
    """
    parts, mark = path.replace(":", ".").split("."), ":" if ":" in path else "."
    module: list[str] = []
    for number, part in enumerate(parts):
        inside = _modules(module, roots)
        found = _near(part, inside)
        if found is None:
            names = _near_names(".".join(module), parts[number:], roots)
            return None if names is None else _different(f"{'.'.join(module)}{mark}{names}", path)
        module.append(found)
    return _different(".".join(module), path)


def _different(found: str, path: str) -> str | None:
    return None if found == path else found


def _near(word: str, known: Collection[str]) -> str | None:
    if word in known:
        return word
    close = get_close_matches(word, known, 1, 0.7)
    return close[0] if close else None


def _modules(package: list[str], roots: ImportRoots) -> set[str]:
    """The modules inside a package, or at the top of the roots."""
    if not package:
        return {*roots.packages, *(name for folder in roots.folders for name in _importable(folder))}
    try:
        spec = importlib.util.find_spec(".".join(package))
    except (ImportError, ValueError, AttributeError):
        return set()
    places: Iterable[str] = (spec.submodule_search_locations or ()) if spec is not None else ()
    return {name for place in places for name in _importable(Path(place))}


def _importable(folder: Path) -> Iterator[str]:
    try:
        entries = list(folder.iterdir())
    except OSError:
        return
    for entry in entries:
        name = entry.stem if entry.suffix == ".py" else entry.name
        if name.isidentifier() and not name.startswith("__") and (entry.suffix == ".py" or entry.is_dir()):
            yield name


def _near_names(module: str, names: list[str], roots: ImportRoots) -> str | None:
    """The attribute of a module that a misspelt one was meant to be."""
    if not module:
        return None
    try:
        loaded = roots.load_module(module)
    except RuvonError:
        return None
    found = _near(names[0], [name for name in vars(loaded) if not name.startswith("_")])
    return None if found is None else ".".join([found, *names[1:]])
