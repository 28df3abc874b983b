"""Mappings against their key tables: unknown, missing and doubled keys, and values of the wrong kind.

What passes is a `Fields`, addressed by canonical key names whatever spelling the author chose; kinds that need more than
a look at the node (expressions, targets, steps) are read later from the node itself.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, final

from ruvon.ir._diagnostics import Edit, Fix, Related
from ruvon.ir._spans import Span
from ruvon_dsl.yaml import _codes as codes
from ruvon_dsl.yaml._durations import SPELLINGS, duration_us
from ruvon_dsl.yaml._findings import Findings, listed
from ruvon_dsl.yaml._keys import Key, Kind, Table
from ruvon_dsl.yaml._scalars import NOTHING
from ruvon_dsl.yaml._slips import retries_meant
from ruvon_dsl.yaml._values import Entry, MappingNode, ScalarNode, SequenceNode, YamlNode, kind_of

__all__ = ["Fields", "check_fields", "is_null", "texts_of"]


@final
@dataclass(frozen=True, slots=True)
class Fields:
    """The keys of one mapping, by canonical name; values of the wrong kind have been reported and left out."""

    table: Table
    span: Span
    entries: Mapping[str, Entry] = field(default_factory=lambda: MappingProxyType({}))
    extra: tuple[Entry, ...] = ()
    """Keys of an open table that it does not know: fields of a custom type."""

    def __contains__(self, name: str) -> bool:
        return name in self.entries

    def entry(self, name: str) -> Entry | None:
        """The key and value of a name, also where the value is nothing."""
        return self.entries.get(name)

    def node(self, name: str) -> YamlNode | None:
        """The value of a name; None where the key is missing or its value is nothing."""
        entry = self.entries.get(name)
        return None if entry is None or is_null(entry.value) else entry.value

    def is_off(self, name: str) -> bool:
        """Whether the key is there with the value `null`."""
        entry = self.entries.get(name)
        return entry is not None and is_null(entry.value)

    def text(self, name: str) -> str | None:
        """The text of a scalar."""
        node = self.node(name)
        return node.text if isinstance(node, ScalarNode) else None

    def flag(self, name: str) -> bool | None:
        """The truth value, or None where the key is missing."""
        node = self.node(name)
        value = node.value if isinstance(node, ScalarNode) else None
        return value if isinstance(value, bool) else None

    def count(self, name: str) -> int | None:
        """The whole number."""
        node = self.node(name)
        value = node.value if isinstance(node, ScalarNode) else None
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def choice(self, name: str) -> str | None:
        """The chosen word in its canonical spelling."""
        text = self.text(name)
        key = next((key for key in self.table.keys if key.name == name), None)
        if text is None or key is None:
            return None
        return next((choice for choice in key.choices if choice.lower() == text.lower()), None)

    def texts(self, name: str) -> list[ScalarNode]:
        """The texts of a text or a list of texts."""
        node = self.node(name)
        return [] if node is None else texts_of(node)

    def duration(self, name: str) -> int | None:
        """The duration in microseconds."""
        node = self.node(name)
        return duration_us(node) if isinstance(node, ScalarNode) else None

    def span_of(self, name: str) -> Span:
        """Where the value of a key stands, or the mapping where it is missing."""
        entry = self.entries.get(name)
        return self.span if entry is None else entry.value.span


def is_null(node: YamlNode) -> bool:
    """Whether the node is `null` (or nothing at all)."""
    return isinstance(node, ScalarNode) and node.plain and node.text in NOTHING


def texts_of(node: YamlNode) -> list[ScalarNode]:
    """The scalars of a scalar or a list of scalars."""
    match node:
        case ScalarNode():
            return [] if node.value is None else [node]
        case SequenceNode(items=items):
            return [item for item in items if isinstance(item, ScalarNode)]
        case MappingNode():
            return []


def check_fields(node: MappingNode, table: Table, found: Findings) -> Fields:
    """Check a mapping against its table and report everything that does not fit."""
    known = table.by_spelling()
    entries: dict[str, Entry] = {}
    extra: list[Entry] = []
    for entry in node.entries:
        key = known.get(entry.key.text)
        if key is None:
            if table.open:
                extra.append(entry)
            else:
                _unknown(entry, table, found)
        elif key.name in entries:
            _doubled(entries[key.name], entry, found)
        elif _fits(entry, key, found):
            entries[key.name] = entry
    _as_tasks(table, entries, found)
    for key in table.keys:
        if key.required and not any(node.get(spelling) for spelling in key.spellings):
            found.error(
                codes.MISSING_KEY,
                f"{table.name} needs `{_shown(key, table)}`",
                _head(node),
                f"add `{_shown(key, table)}:{_SAMPLES.get(key.kind, '')}`, {_lower(key.doc)}",
            )
        elif key.required and key.name in entries and is_null(entries[key.name].value) and key.kind is not Kind.STEPS:
            found.error(
                codes.MISSING_KEY, f"`{key.name}` of {table.name} is empty", entries[key.name].key.span, _lower(key.doc)
            )
    return Fields(table, node.span, MappingProxyType(entries), tuple(extra))


def _as_tasks(table: Table, entries: dict[str, Entry], found: Findings) -> None:
    """Read `steps:` of a PARALLEL that goes over no list as its tasks, and say so."""
    entry = entries.get("steps")
    if entry is None or table.name not in _SIDE_BY_SIDE or {"iterate_over", "tasks", "branches"} & set(entries):
        return
    word = entry.key.text
    found.error(
        codes.UNKNOWN_KEY,
        f"{table.name} without `iterate_over` has no `{word}`",
        entry.key.span,
        "write `tasks:` for steps that run side by side; `steps` are what runs for each item of `iterate_over`",
        fix=Fix("write `tasks`", (Edit(entry.key.span, "tasks"),)),
    )
    entries["tasks"] = entries.pop("steps")


_SIDE_BY_SIDE: Final = frozenset({"a PARALLEL step", "a FORK step"})


def _head(node: MappingNode) -> Span:
    return node.entries[0].key.span if node.entries else node.span


def _lower(doc: str) -> str:
    return doc[:1].lower() + doc[1:]


def _unknown(entry: Entry, table: Table, found: Findings) -> None:
    name = entry.key.text
    fix = None
    if retries_meant(entry, table, found):
        return
    is_step = "dependencies" in table.by_spelling()
    elsewhere = table.elsewhere.get(name) or _ELSEWHERE.get(name) or (_ON_STEPS.get(name) if is_step else None)
    if elsewhere is not None:
        found.error(codes.UNKNOWN_KEY, f"{table.name} has no key `{name}`", entry.key.span, elsewhere)
        return
    hint = found.closest(name, list(table.by_spelling()))
    if hint:
        word = hint.split("`")[1]
        fix = Fix(f"write `{word}`", (Edit(entry.key.span, word),))
    help_ = hint or f"it has {listed(key.name for key in table.keys)}"
    found.error(codes.UNKNOWN_KEY, f"{table.name} has no key `{name}`", entry.key.span, help_, fix=fix)


def _doubled(first: Entry, second: Entry, found: Findings) -> None:
    found.error(
        codes.DUPLICATE_KEY,
        f"`{first.key.text}` and `{second.key.text}` are two spellings of one key",
        second.key.span,
        "keep one of them",
        related=(Related(first.key.span, "first given here"),),
    )


_ANY_NODE: Final = frozenset(
    {Kind.VALUE, Kind.STEPS, Kind.EXIT, Kind.FREE, Kind.STEP, Kind.RETRY, Kind.COMPENSATION, Kind.TASKS}
)
_LISTS: Final = frozenset({Kind.ROUTES, Kind.ELIFS, Kind.HANDLERS, Kind.ENTRIES})
_MAPPINGS: Final = frozenset(
    {Kind.VALUES, Kind.TARGETS, Kind.BRANCHES, Kind.TYPES, Kind.PATHS, Kind.TABLE, Kind.CONSTANTS}
)
_SCALARS: Final = frozenset({Kind.TEXT, Kind.NAME, Kind.PATH, Kind.TYPE, Kind.CONDITION, Kind.STEP_NAME})


def _fits(entry: Entry, key: Key, found: Findings) -> bool:
    """Whether the value is of the key's kind; if not, that is reported."""
    node = entry.value
    if is_null(node) or key.kind in _ANY_NODE:
        return True
    expected = _expected(node, key)
    if expected is None:
        return True
    help_, fix = _instead(node, key)
    found.error(
        codes.DURATION if key.kind in {Kind.DURATION, Kind.MILLISECONDS} else codes.WRONG_KIND,
        f"`{entry.key.text}` is {kind_of(node)}, not {expected}",
        node.span,
        f"{help_}; {_lower(key.doc)}" if help_ else _lower(key.doc),
        fix=fix,
    )
    return False


def _instead(node: YamlNode, key: Key) -> tuple[str, Fix | None]:
    """What to write in place of a value of the wrong kind, and the edit where only one thing can be meant."""
    word = node.text.lower() if isinstance(node, ScalarNode) else ""
    match key.kind:
        case Kind.BOOL:
            meant = "true" if word in _YES else "false" if word in _NO else None
            if meant is None:
                return "write `true` or `false`", None
            return f"write `{meant}`", Fix(f"write `{meant}`", (Edit(node.span, meant),))
        case Kind.COUNT:
            return "write digits, such as `3`", None
        case Kind.DURATION:
            return f"write {SPELLINGS}", None
        case Kind.TEXT | Kind.TEXTS if _is_truth(node):
            return f'quote it if it is meant, `"{word}"`', None
        case _:
            return "", None


_YES: Final = frozenset({"yes", "on", "y", "true", "1"})
_NO: Final = frozenset({"no", "off", "n", "false", "0"})
_INDEX: Final = (
    "`index` names the counter of a `for`, a LOOP with `iterate_over` or a PARALLEL over a list: move it there"
)
_WHEN: Final = "a step has no condition of its own: put it under `- if: CONDITION` with `then: [...]`"
_FAILED: Final = "`on_error: STEP` names the step to go to when this one fails"
_BEFORE: Final = "`dependencies: [STEP]` names the steps that must end first"
_CALLED: Final = "`function:` names what a step calls"
_ELSEWHERE: Final[Mapping[str, str]] = MappingProxyType(dict.fromkeys(("index", "index_var", "index_var_name"), _INDEX))
"""Keys of one construct that people write on another."""
_ON_STEPS: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(("condition", "when", "only_if", "run_if"), _WHEN),
        **dict.fromkeys(("on_failure", "onError", "on_fail", "catch", "except"), _FAILED),
        **dict.fromkeys(("needs", "after", "wait_for", "dependsOn"), _BEFORE),
        **dict.fromkeys(("run", "call", "handler", "action", "task_function"), _CALLED),
    }
)
"""Keys that other tools have for steps."""
_SAMPLES: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        Kind.PATH: " module:function",
        Kind.TYPE: " module:Class",
        Kind.CONDITION: " state.amount > 0",
        Kind.STEPS: " [{function: module:function}]",
    }
)


def _shown(key: Key, table: Table) -> str:
    """The spelling that goes with the rest of the step: `do` in a short form."""
    return "do" if key.name == "loop_body" and table.name in {"a for", "a while"} else key.name


def _is_truth(node: YamlNode) -> bool:
    return isinstance(node, ScalarNode) and isinstance(node.value, bool)


def _expected(node: YamlNode, key: Key) -> str | None:
    """What should stand under the key, in words, or None where the node is right."""
    if key.kind in _LISTS:
        return None if isinstance(node, SequenceNode) or _single_handler(node, key) else "a list"
    if key.kind in _MAPPINGS:
        return None if isinstance(node, MappingNode) else "a mapping"
    if key.kind is Kind.TEXTS:
        return _expected_texts(node)
    if key.kind is Kind.TARGET and isinstance(node, MappingNode | ScalarNode):
        return None
    if not isinstance(node, ScalarNode):
        return _SCALAR_WORDS.get(key.kind, "one value")
    return _expected_scalar(node, key)


def _single_handler(node: YamlNode, key: Key) -> bool:
    return isinstance(node, MappingNode) and key.kind in {Kind.HANDLERS, Kind.ELIFS}


def _expected_texts(node: YamlNode) -> str | None:
    items = node.items if isinstance(node, SequenceNode) else (node,)
    fine = all(isinstance(item, ScalarNode) and not _is_truth(item) for item in items)
    return None if fine else "a text or a list of texts"


_SCALAR_WORDS: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        Kind.TEXT: "a text",
        Kind.NAME: "a name",
        Kind.PATH: "the path of a function or class",
        Kind.TYPE: "a type",
        Kind.CONDITION: "an expression",
        Kind.STEP_NAME: "the name of a step",
        Kind.BOOL: "true or false",
        Kind.COUNT: "a whole number",
        Kind.DURATION: "a duration",
        Kind.MILLISECONDS: "a number of milliseconds",
        Kind.CHOICE: "one of its words",
        Kind.TARGET: "a variable, a state field, or {name, type}",
    }
)


def _expected_scalar(node: ScalarNode, key: Key) -> str | None:
    value = node.value
    match key.kind:
        case Kind.BOOL:
            return None if isinstance(value, bool) else _SCALAR_WORDS[Kind.BOOL]
        case Kind.COUNT:
            whole = isinstance(value, int) and not isinstance(value, bool)
            return None if whole and int(value or 0) >= 1 else "a whole number from 1"
        case Kind.DURATION:
            return None if duration_us(node) is not None else _SCALAR_WORDS[Kind.DURATION]
        case Kind.MILLISECONDS:
            fine = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
            return None if fine else _SCALAR_WORDS[Kind.MILLISECONDS]
        case Kind.CHOICE:
            fine = node.text.lower() in {choice.lower() for choice in key.choices}
            return None if fine else f"one of {listed(key.choices)}"
        case Kind.NAME:
            return None if node.text.isidentifier() else "a name (letters, digits and underscores)"
        case Kind.TEXT | Kind.PATH | Kind.TYPE | Kind.STEP_NAME if isinstance(value, bool):
            return _SCALAR_WORDS[key.kind]
        case _:
            return None if key.kind in _SCALARS or key.kind is Kind.NOTHING else "one value"


def iterate_tables(table: Table) -> Iterator[Table]:
    """A table and the tables inside it."""
    yield table
    for key in table.keys:
        if key.table is not None:
            yield from iterate_tables(key.table)
