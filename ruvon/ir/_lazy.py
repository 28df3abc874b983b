"""Names of a package that load their module when they are first asked for.

`import ruvon` stands at the head of every step module, on workers and on devices; the checker of expressions, the
verifier or the local runner have no business there until somebody uses them. Type checkers read the plain imports that
each package has under `TYPE_CHECKING`; a test of the public names proves that both lists agree.
"""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module

__all__ = ["lazy_names"]


def lazy_names(package: str, homes: Mapping[str, tuple[str, ...]]) -> Callable[[str], object]:
    """A package's `__getattr__`.

    Args:
        package: The package's name.
        homes: Which names each module gives; modules are named relative to the package (`._text`) or whole.
    """
    home = {name: module for module, names in homes.items() for name in names}

    def load(name: str) -> object:
        module = home.get(name)
        if module is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found: object = getattr(import_module(module, package), name)
        setattr(sys.modules[package], name, found)
        return found

    return load
