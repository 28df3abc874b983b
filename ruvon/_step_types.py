"""The custom step types that a builder knows: those registered by name, and those that plugins and files bring.

What is registered is there at once. Modules of plugins are imported, and files of workflows compiled, only when a type is
asked for that is not known yet.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, final

from ruvon.models import WorkflowStep

__all__ = ["StepTypes", "type_name"]

_LOGGER: Final = logging.getLogger("ruvon.builder")


def type_name(cls: type[WorkflowStep]) -> str | None:
    """The name of a step type: the default of its field `type`; None where the class does not say it."""
    name = cls.model_fields["type"].default
    return name if isinstance(name, str) else None


@final
class StepTypes(Mapping[str, type[WorkflowStep]]):
    """Step types by name; looking one up may import what brings it."""

    def __init__(self) -> None:
        self._known: dict[str, type[WorkflowStep]] = {}
        self._modules: list[tuple[str, Callable[[], Iterable[object]]]] = []
        self.look_in_files: Callable[[], None] | None = None
        """Compiles what is registered and not compiled yet, which adds the types that its modules hold."""

    def add(self, name: str, cls: type[WorkflowStep]) -> None:
        """Register a type; it takes the place of another one of that name."""
        self._known[name] = cls

    def offer(self, name: str, cls: type[WorkflowStep]) -> None:
        """Register a type that something brings along, unless one of that name is registered."""
        self._known.setdefault(name, cls)

    def add_module(self, whose: str, values: Callable[[], Iterable[object]]) -> None:
        """Remember a module of a plugin, whose values are looked at when a type is missing."""
        self._modules.append((whose, values))

    @property
    def may_have_more(self) -> bool:
        """Whether there are types, or modules that may hold some."""
        return bool(self._known or self._modules)

    def find(self, name: str) -> type[WorkflowStep] | None:
        """A type that is registered or that a plugin brings; None where there is none."""
        if name not in self._known:
            self._load_modules()
        return self._known.get(name)

    def _load_modules(self) -> None:
        modules, self._modules = self._modules, []
        for whose, values in modules:
            try:
                found = list(values())
            except Exception as exc:  # noqa: BLE001  # one broken plugin must not take the others along
                _LOGGER.warning("the steps of the plugin `%s` cannot be used: %s: %s", whose, type(exc).__name__, exc)
                continue
            for cls in found:
                if isinstance(cls, type) and issubclass(cls, WorkflowStep) and (name := type_name(cls)) is not None:
                    self.offer(name, cls)

    def __getitem__(self, name: str) -> type[WorkflowStep]:
        found = self.find(name)
        if found is None and self.look_in_files is not None:
            self.look_in_files()
            found = self._known.get(name)
        if found is None:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)
