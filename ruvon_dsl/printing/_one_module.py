"""Naming a module once (`module:`) in place of each of its names (`uses:`), where both mean the same.

The names of a file's `module` come before everything else that a file may mean by a name, so the module must be at hand:
none of its names may be one of the file's variables, an exception of Python's or a function of the language that it
defines anew.
"""

import importlib
import sys
from collections import Counter
from collections.abc import Collection, Mapping

from ruvon.ir._errors import RuvonError
from ruvon.ir._paths import split_path
from ruvon.ir.expr._language import DEFINITION_PATHS, FUNCTION_NAMES
from ruvon_dsl.printing._targets import Resolve

__all__ = ["one_module"]


def one_module(
    uses: Mapping[str, str], names: Mapping[str, str], variables: Collection[str], resolve: Resolve | None
) -> str | None:
    """The module that a file may name once, the one that most of its names come from; None where names might be mistaken.

    Args:
        uses: Paths by short name, of what is imported.
        names: Short names by path, of all classes and functions of the file.
        variables: The variables of the file.
        resolve: Gives the object at a path; without it no module is at hand.
    """
    homes = Counter(split_path(path)[0] for path in sorted(uses.values()))
    authors = [home for home, _ in homes.most_common() if home.partition(".")[0] not in {"builtins", "ruvon"}]
    if resolve is None or not authors:
        return None
    try:
        for path in uses.values():
            resolve(path)  # a definition of the cache was made without its modules
    except (RuvonError, ImportError, AttributeError):
        return None
    home = authors[0]
    members = vars(sys.modules[home])
    own = {short for short, path in uses.items() if path == f"{home}:{short}"}
    others = {short: path for path, short in names.items() if short not in own}
    clashes = (
        not own <= members.keys()
        or any(name in members for name in variables)
        or any(name in members and members[name] is not _at(path) for name, path in others.items())
        or any(members[name] is not _function(name) for name in FUNCTION_NAMES & members.keys())
    )
    return None if clashes else home


def _at(path: str) -> object:
    module, name = split_path(path)
    found: object = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _function(name: str) -> object:
    """The function of the language that a name means; None where Python has no object of it."""
    paths = [path for path, known in DEFINITION_PATHS.items() if known == name]
    return _at(paths[0]) if paths else None
