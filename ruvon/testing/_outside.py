"""The world outside a workflow, as far as a test process can see it: what its steps did to something that stays.

Two things are looked at. A *probe* is a function of the user's that answers with whatever must come out the same (the
charges of a fake payment provider, the rows of a table). And the module variables of the modules that hold the
workflow's functions are looked at by themselves, because that is where examples and fakes keep their ledgers; they are
put back to what they were before each run.
"""

import copy
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, cast, final

from ruvon.ir import Definition
from ruvon.testing._shapes import shape

__all__ = ["OutsideWorld"]

Probe = Callable[[], object]

_OPAQUE: Final = (types.ModuleType, types.FunctionType, types.BuiltinFunctionType, type, property)


@final
class OutsideWorld:
    """Module variables and probes of the workflows under test.

    Args:
        definitions: the workflows; the modules of their functions are watched.
        probes: by name, functions that answer with what must come out the same.
        reset: called before each run, to set up what the probes look at.
    """

    def __init__(
        self,
        definitions: Iterable[Definition],
        probes: "Mapping[str, Probe] | None" = None,
        reset: Callable[[], object] | None = None,
    ) -> None:
        self._probes = probes or {}
        self._reset = reset
        self._kept: dict[tuple[str, str], object] = {}
        for module in _modules(definitions):
            for name, value in list(vars(module).items()):
                if _is_watched(name, value):
                    kept = _copied(value)
                    if kept is not _UNCOPYABLE:
                        self._kept[module.__name__, name] = kept

    def restore(self) -> None:
        """Put everything back to what it was at first."""
        for (module, name), kept in self._kept.items():
            found = vars(sys.modules[module])
            if not _put_back(found.get(name), kept):
                found[name] = _copied(kept)
        if self._reset is not None:
            self._reset()

    def look(self) -> dict[str, object]:
        """What is there now, by a name that people understand."""
        seen = {f"{module}.{name}": shape(vars(sys.modules[module]).get(name)) for module, name in self._kept}
        return seen | {name: shape(probe()) for name, probe in self._probes.items()}


def _modules(definitions: Iterable[Definition]) -> Iterator[types.ModuleType]:
    names = {path.partition(":")[0] for item in definitions for path in item.contracts}
    for name in sorted(names):
        module = sys.modules.get(name)
        if module is not None:
            yield module


def _is_watched(name: str, value: object) -> bool:
    """Whether a module variable may hold effects: data, or an object of a class of the author's own."""
    if name.startswith("__") or isinstance(value, _OPAQUE) or callable(value):
        return False
    if getattr(type(value), "__module__", "").partition(".")[0] in ("ruvon", "ruvon_dsl", "pydantic", "logging"):
        return False
    if isinstance(value, list | dict | set | int | float | str):
        return True
    return type(value).__module__ != "builtins" and hasattr(value, "__dict__")


class _Uncopyable:
    pass


_UNCOPYABLE: Final = _Uncopyable()


def _copied(value: object) -> object:
    try:
        return copy.deepcopy(value)
    except Exception:  # noqa: BLE001 - locks, sockets, clients: nothing that a test can put back
        return _UNCOPYABLE


def _put_back(found: object, kept: object) -> bool:
    """Change an object in place, because others hold it too; False where it must be replaced."""
    again: Any = _copied(kept)
    match found:
        case list():
            cast("list[object]", found)[:] = again
        case dict() | set():
            cast("dict[Any, Any]", found).clear()
            cast("dict[Any, Any]", found).update(again)
        case _:
            inside = cast("dict[str, Any] | None", getattr(found, "__dict__", None))
            if inside is None or type(found) is not type(kept):
                return False
            inside.clear()
            inside.update(cast("dict[str, Any]", again.__dict__))
    return True
