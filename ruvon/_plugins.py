"""Installed plugins: packages with an entry point of the group `ruvon.plugins`, whose callable says what they bring.

A plugin that cannot be used is left out, with one sentence in the log; nothing else is touched by it.
"""

import importlib.metadata
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast, final

from ruvon._step_types import type_name
from ruvon.models import WorkflowStep

__all__ = ["GROUP", "PluginContents", "PluginInfo", "Plugins", "checked_info", "contents_of"]

GROUP: Final = "ruvon.plugins"
"""The group of entry points."""

PluginInfo = Mapping[str, Any]

_LOGGER: Final = logging.getLogger("ruvon.builder")
_KEYS: Final = ("name", "version", "description", "workflows_dir", "steps_module", "models_module")
_OPTIONAL: Final = ("observers",)
_SAID: Final[set[tuple[str, str]]] = set()
"""What this process has said already: every builder looks for plugins."""


@final
@dataclass(frozen=True, slots=True)
class PluginContents:
    """What an installed plugin brings."""

    name: str
    version: str
    description: str
    workflows: tuple[str, ...] = ()
    """Types of workflows."""
    steps: tuple[str, ...] = ()
    """Names of steps in its steps module."""
    step_types: tuple[str, ...] = ()
    """Names of step types in its steps module."""
    functions: tuple[str, ...] = ()
    """Names of `@pure` functions in its steps module, for expressions."""
    observers: tuple[str, ...] = ()
    """Classes of observers."""
    problems: tuple[str, ...] = ()
    """Why some of it cannot be used."""


@final
@dataclass(slots=True)
class Plugins:
    """What is installed."""

    usable: dict[str, PluginInfo] = field(default_factory=dict[str, PluginInfo])
    """What plugins say about themselves, by name."""
    broken: dict[str, str] = field(default_factory=dict[str, str])
    """Why others are left out, by the name of their entry point."""

    def load(self, use: Callable[[PluginInfo], None]) -> None:
        """Find every installed plugin, and have it used."""
        for point in sorted(importlib.metadata.entry_points(group=GROUP), key=lambda item: item.name):
            try:
                self.add(cast("Callable[[], PluginInfo]", point.load())(), use)
            except (Exception, SystemExit) as exc:  # noqa: BLE001  # whatever it does, others go on without it
                self.leave_out(point.name, exc)

    def add(self, info: PluginInfo, use: Callable[[PluginInfo], None]) -> None:
        """Use one plugin.

        Raises:
            ValueError: its description lacks a key, or has one that says nothing.
        """
        checked_info(info)
        use(info)
        self.usable[str(info["name"])] = info

    def leave_out(self, name: str, error: BaseException) -> None:
        """Say why a plugin is not used."""
        said = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        self.broken[name] = said
        if (name, said) not in _SAID:
            _SAID.add((name, said))
            _LOGGER.warning("the plugin `%s` is left out: %s", name, said)


def checked_info(info: object) -> PluginInfo:
    """What the callable of an entry point has returned, if it is a whole description.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(info, Mapping):
        raise ValueError(f"its entry point returns {info!r}; it is to return a mapping with {', '.join(_KEYS)}")  # noqa: TRY004
    given = cast("PluginInfo", info)
    missing = [key for key in _KEYS if key not in given]
    if missing:
        raise ValueError(f"it does not say its {', '.join(missing)}; use None for what it does not have")
    unknown = [str(key) for key in given if key not in (*_KEYS, *_OPTIONAL)]
    if unknown:
        raise ValueError(
            f"it says {', '.join(unknown)}, which means nothing; the keys are {', '.join(_KEYS + _OPTIONAL)}"
        )
    return given


def contents_of(info: PluginInfo, values: Iterable[tuple[str, object]], workflows: Iterable[str]) -> PluginContents:
    """What a plugin brings.

    Args:
        info: its description.
        values: the names and values of its steps module.
        workflows: the types of its workflows.
    """
    steps: list[str] = []
    types: list[str] = []
    functions: list[str] = []
    for name, value in values:
        if isinstance(value, type) and issubclass(value, WorkflowStep):
            types.extend(filter(None, [type_name(value)]))
        elif isinstance(value, type):
            continue
        elif getattr(value, "__ruvon_pure__", False) is True:
            functions.append(name)
        elif hasattr(value, "__ruvon_step__"):
            steps.append(name)
    observers = [item if isinstance(item, str) else type(item).__qualname__ for item in info.get("observers") or ()]
    return PluginContents(
        str(info["name"]),
        str(info["version"]),
        str(info["description"] or ""),
        tuple(sorted(workflows)),
        tuple(sorted(steps)),
        tuple(sorted(types)),
        tuple(sorted(functions)),
        tuple(observers),
    )
