"""The public names, frozen: a name that appears, goes or moves is a decision, seen in a golden file."""

import importlib
import os
import pkgutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from inspect import ismodule
from pathlib import Path

import pytest

from tests.support.golden import GOLDEN

PACKAGES = ("ruvon", "ruvon_dsl")
LAZY = (
    "ruvon.ir._verify",
    "ruvon.ir._nodes",
    "ruvon.ir.expr._check",
    "ruvon.ir.values._codec",
    "ruvon.authoring._local",
)
"""What only some programs need and `import ruvon` therefore leaves for later."""
FOREIGN = (
    "asyncio",
    "difflib",
    "importlib.metadata",
    "libcst",
    "yaml",
    "sqlite3",
    "jinja2",
    "click",
    "rich",
    "ruvon_dsl",
    "ruvon.engine",
    "ruvon.builder",
)
"""What no step module should pay for."""


def public_modules() -> Iterator[str]:
    """Every module of the packages whose path has no private part."""
    for package in PACKAGES:
        root = importlib.import_module(package)
        yield package
        for found in pkgutil.walk_packages(root.__path__, f"{package}."):
            if not any(part.startswith("_") for part in found.name.split(".")):
                yield found.name


def names_of(module: str) -> list[str]:
    """The `__all__` of a module; a package that only holds others has none, and no names either."""
    found = importlib.import_module(module)
    if not hasattr(found, "__all__"):
        public = [name for name, item in vars(found).items() if not name.startswith("_") and not ismodule(item)]
        assert public == [], f"{module} has names and no __all__"
        return []
    return list(found.__all__)


MODULES = sorted(set(public_modules()))


@pytest.mark.parametrize("name", MODULES)
def test_all_is_sorted_and_true(name: str) -> None:
    """`__all__` is there, sorted (constants, classes, functions), without repeats, and every name in it exists."""
    module = importlib.import_module(name)
    names = names_of(name)
    assert len(names) == len(set(names))
    assert [item for item in names if not hasattr(module, item)] == []
    if name != "ruvon_dsl":  # its own names first, then those of `ruvon`
        assert names == sorted(names, key=_natural)


def _natural(name: str) -> tuple[int, str]:
    """The order that ruff keeps `__all__` in: constants, then classes, then the rest."""
    if name.isupper() and len(name) > 1:
        return 0, name
    return (1, name) if name[:1].isupper() else (2, name)


def test_the_names_are_the_reviewed_ones(golden: Callable[[Path, str], None]) -> None:
    """Every public module has exactly the names that were reviewed."""
    lines = [f"{name}: {item}" for name in MODULES for item in sorted(names_of(name))]
    golden(GOLDEN / "public_names.txt", "\n".join(lines) + "\n")


@pytest.mark.parametrize("name", MODULES)
def test_an_unknown_name_is_refused(name: str) -> None:
    """A module answers a name it does not have with AttributeError, lazy or not."""
    module = importlib.import_module(name)
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = module.no_such_name


def test_import_ruvon_is_lean() -> None:
    """A step module's `import ruvon` loads neither compilers, stores and loops nor the parts that only some need."""
    code = f"import sys, ruvon; print([name for name in {(*LAZY, *FOREIGN)} if name in sys.modules])"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent.parent)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "[]"
