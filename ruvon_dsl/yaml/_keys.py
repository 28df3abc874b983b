"""The vocabulary of the key tables: what a key is called, what stands under it, and what it means.

One declaration of each key serves four readers: the checker (unknown and missing keys, wrong kinds), the did-you-mean,
the JSON Schema for editors, and the documentation. A key that is not in a table does not exist.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import final

__all__ = ["Key", "Kind", "Table"]


class Kind(Enum):
    """What may stand under a key."""

    TEXT = "text"
    TEXTS = "texts"
    """A text or a list of texts."""
    NAME = "name"
    """An identifier of Python: a variable, a loop item."""
    BOOL = "bool"
    COUNT = "count"
    """A whole number from 1; `null` where the key says so."""
    DURATION = "duration"
    """`6h`, `1h30m`, `PT6H`, or seconds as a number; a constant."""
    MILLISECONDS = "milliseconds"
    PATH = "path"
    """A function or class: a short name, `package.module.name` or `package.module:name`."""
    TYPE = "type"
    """A type: a class, or a text such as `list[Item] | None`."""
    VALUE = "value"
    """A literal, `=expression`, `{{ expression }}`, a list or a mapping of them."""
    CONDITION = "condition"
    """A bare expression."""
    TARGET = "target"
    """What a value is assigned to: a variable, `state.field`, a path, or `{name: x, type: T}`."""
    TARGETS = "targets"
    """A mapping from targets to values."""
    VALUES = "values"
    """A mapping from names to values."""
    STEPS = "steps"
    """A list of steps."""
    STEP = "step"
    STEP_NAME = "step name"
    """The name of a step, or END, BREAK, CONTINUE."""
    EXIT = "exit"
    """A step name, or a list of steps."""
    ROUTES = "routes"
    ELIFS = "elifs"
    HANDLERS = "handlers"
    TASKS = "tasks"
    BRANCHES = "branches"
    RULES = "rules"
    RETRY = "retry"
    COMPENSATION = "compensation"
    CHOICE = "choice"
    TYPES = "types"
    """A mapping from names to types."""
    PATHS = "paths"
    """A mapping from short names to paths."""
    FREE = "free"
    """Any mapping or text; only people read it."""
    CONSTANTS = "constants"
    """A mapping from names to literals."""
    TABLE = "table"
    """A mapping with keys of its own (see `Key.table`)."""
    ENTRIES = "entries"
    """A list of such mappings."""
    NOTHING = "nothing"
    """The key says all: no value, or `true`."""


@final
@dataclass(frozen=True, slots=True)
class Key:
    """One key of a table."""

    name: str
    kind: Kind
    doc: str
    aliases: tuple[str, ...] = ()
    required: bool = False
    nullable: bool = False
    """`null` means something (off, none), not that the value is missing."""
    choices: tuple[str, ...] = ()
    """Of a CHOICE: the texts, matched without regard to case."""
    table: "Table | None" = None
    """Of a TABLE or ENTRIES: the keys inside."""

    @property
    def spellings(self) -> tuple[str, ...]:
        """The name and its aliases."""
        return (self.name, *self.aliases)


@final
@dataclass(frozen=True, slots=True)
class Table:
    """The keys of one kind of mapping."""

    name: str
    """What messages call the mapping: `a HTTP step`, `the workflow`."""
    doc: str
    keys: tuple[Key, ...]
    open: bool = False
    """Other keys are fields of a custom step type."""
    elsewhere: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Keys that people expect here and that are none: what to write instead."""
    _spellings: Mapping[str, Key] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        spellings = {spelling: key for key in self.keys for spelling in key.spellings}
        object.__setattr__(self, "_spellings", MappingProxyType(spellings))

    def by_spelling(self) -> Mapping[str, Key]:
        """Every accepted spelling with its key."""
        return self._spellings

    def extended(self, name: str, doc: str, keys: Iterable[Key], *, without: Iterable[str] = ()) -> "Table":
        """A table with these keys before those of this one; a key given again replaces the old one."""
        added = tuple(keys)
        dropped = {key.name for key in added} | set(without)
        taken = {spelling for key in added for spelling in key.spellings}
        kept = tuple(_without(key, taken) for key in self.keys if key.name not in dropped | taken)
        return Table(name, doc, added + kept, self.open)


def _without(key: Key, taken: set[str]) -> Key:
    """The key without aliases that another key of the table uses."""
    aliases = tuple(alias for alias in key.aliases if alias not in taken)
    if aliases == key.aliases:
        return key
    return Key(key.name, key.kind, key.doc, aliases, key.required, key.nullable, key.choices, key.table)
