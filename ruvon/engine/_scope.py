"""Scopes: the state and the variables that one strand sees, as encoded values.

The workflow's body has the root scope; each branch of a PARALLEL has its own. A branch's scope is a layer: it starts
from the state and variables of the fork (and of the branches it comes after), and what it writes stays in the layer
until the join. What was written since the last commit is kept as a *delta*; the sum of all deltas is the scope.

A list that a loop appends to is kept as chunks of encoded elements, so that an append costs one element, not the list.
Hidden variables begin with `@`: frozen loop items, collected results, branch results. No expression can name them.
"""

from collections.abc import Iterable, Mapping
from typing import Any, cast, final

import orjson

from ruvon.engine._arguments import ERROR_MARK, decode_error
from ruvon.engine._splice import LARGE, is_spliceable, splice_of, spliced
from ruvon.engine._state import Table
from ruvon.engine._values import Types
from ruvon.ir.values import is_default

__all__ = ["Chunks", "Delta", "Names", "Scope", "StoredScopes"]


@final
class Chunks:
    """A JSON list kept as the texts of its elements, so that appending is cheap."""

    __slots__ = ("parts",)

    def __init__(self, parts: list[bytes]) -> None:
        self.parts = parts

    def join(self) -> bytes:
        """The list as one text."""
        return b"[" + b",".join(self.parts) + b"]"


@final
class Delta:
    """What changed in one scope since the last commit."""

    __slots__ = ("appended", "before", "dropped", "state", "variables")

    def __init__(self) -> None:
        self.state: Table = {}
        self.variables: dict[str, bytes | None] = {}
        """New values; None where a variable was unbound."""
        self.appended: dict[str, list[bytes]] = {}
        self.before: dict[tuple[str, str], bytes] = {}
        """Large values as they were at the last commit, by kind ("s", "v") and name."""
        self.dropped = False
        """The scope is gone."""

    def to_tree(self) -> dict[str, object]:
        """A tree for orjson."""
        tree: dict[str, object] = {}
        if self.dropped:
            tree["x"] = True
        if self.before:
            self._add_splices(tree)
        if self.state:
            tree["s"] = {name: orjson.Fragment(data) for name, data in self.state.items()}
        if self.variables:
            tree["v"] = {
                name: [orjson.Fragment(data)] if data is not None else [] for name, data in self.variables.items()
            }
        if self.appended:
            tree["a"] = {name: [orjson.Fragment(part) for part in parts] for name, parts in self.appended.items()}
        return tree

    def _add_splices(self, tree: dict[str, object]) -> None:
        """Take out of the new values those that are better told by what changed in them."""
        for (kind, name), old in self.before.items():
            values = self.state if kind == "s" else self.variables
            new = values.get(name)
            splice = splice_of(old, new) if new is not None and name not in self.appended else None
            if splice is not None:
                cast("dict[str, object]", tree.setdefault("p", {}))[kind + name] = splice
                del values[name]


class Names(dict[str, Any]):
    """Decoded values by name for expressions: decoded when first asked for, forgotten when written."""

    __slots__ = ("scope",)

    def __init__(self, scope: "Scope") -> None:
        super().__init__()
        self.scope = scope

    def __missing__(self, name: str) -> object:
        value = self.scope.load_name(name)
        self[name] = value
        return value

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or self.scope.has_name(cast("str", name))

    def get(self, name: str, default: Any = None) -> Any:
        """The value of `name`, or `default` where it is not bound."""
        return self[name] if name in self else default  # noqa: SIM401 - this is the `get` itself

    def visible(self) -> dict[str, object]:
        """Everything that can be read here, decoded; the engine's own hidden names are left out."""
        found: dict[str, object] = {"state": self["state"]}
        scope: Scope | None = self.scope
        while scope is not None:
            for name in (*scope.variables, *scope.base_variables):
                if name.isidentifier() and name not in found and self.scope.raw(name) is not None:
                    found[name] = self[name]
            scope = scope.parent
        return found


@final
class Scope:
    """State and variables of one strand."""

    __slots__ = (
        "_view",
        "base_variables",
        "delta",
        "fields",
        "name",
        "names",
        "own",
        "parent",
        "run_deltas",
        "types",
        "variables",
    )

    def __init__(self, name: str, types: Types, dirty: "list[Scope]", parent: "Scope | None" = None) -> None:
        self.name = name
        self.types = types
        self.parent = parent
        self.fields: Table = dict(parent.fields) if parent is not None else {}
        """The whole table as this strand sees it."""
        self.own: Table = {}
        """A branch's own writes, in order of first writing."""
        self.variables: dict[str, bytes | Chunks] = {}
        self.base_variables: dict[str, bytes] = {}
        """Variables seen from branches that came before."""
        self.names = Names(self)
        self.delta: Delta | None = None
        self.run_deltas = dirty
        self._view: Any = None

    # Reading

    def view(self) -> Any:
        """A fresh view of the state for a step: its own copy."""
        return self.types.state.view(self.fields)

    def shared_view(self) -> Any:
        """The view that expressions share; nobody changes it."""
        if self._view is None:
            self._view = self.types.state.view(self.fields)
        return self._view

    def has_name(self, name: str) -> bool:
        """Whether an expression can read `name`."""
        return name == "state" or self.raw(name) is not None

    def raw(self, name: str) -> "bytes | Chunks | None":
        """The encoded value of a variable as this strand sees it."""
        scope: Scope | None = self
        while scope is not None:
            found = scope.variables.get(name) or scope.base_variables.get(name)
            if found is not None:
                return found
            scope = scope.parent
        return None

    def load_name(self, name: str) -> object:
        """Decode `state` or a variable; KeyError where it is not bound."""
        if name == "state":
            return self.shared_view()
        found = self.raw(name)
        if found is None:
            raise KeyError(name)
        return self.decode(name, found.join() if isinstance(found, Chunks) else found)

    def decode(self, name: str, data: bytes) -> object:
        """The value of a variable's bytes."""
        if data.startswith(ERROR_MARK):
            return decode_error(self.types, data)
        return self.types.variable(name).decode(data)

    def seen_bytes(self, name: str) -> bytes | None:
        """The encoded value of a variable as this strand sees it."""
        found = self.raw(name)
        return found.join() if isinstance(found, Chunks) else found

    def visible_names(self) -> "set[str]":
        """The names of all variables that this strand sees, hidden ones too."""
        found: set[str] = set()
        scope: Scope | None = self
        while scope is not None:
            found.update(scope.variables, scope.base_variables)
            scope = scope.parent
        return found

    def bytes_of(self, name: str) -> bytes | None:
        """The encoded value of a variable of this scope itself."""
        found = self.variables.get(name)
        return found.join() if isinstance(found, Chunks) else found

    # Writing

    def _changing(self) -> Delta:
        if self.delta is None:
            self.delta = Delta()
            self.run_deltas.append(self)
        return self.delta

    @staticmethod
    def _keep(delta: Delta, kind: str, name: str, old: bytes, changed: Mapping[str, object]) -> None:
        """Remember a large value that is replaced for the first time since the last commit."""
        if name not in changed and name not in delta.appended and is_spliceable(old):
            delta.before[kind, name] = old

    def write_state(self, entries: Table) -> None:
        """Put validated entries into the table."""
        if not entries:
            return
        delta = self.delta or self._changing()
        stored = self.fields if self.parent is None else self.own
        for name in entries:
            old = stored.get(name)
            if old is not None and len(old) > LARGE:
                self._keep(delta, "s", name, old, delta.state)
        self.fields = {**self.fields, **entries}  # a view that is still used keeps the old table
        if self.parent is not None:
            self.own.update(entries)
        delta.state.update(entries)
        self._view = None
        self.names.pop("state", None)

    def bind(self, name: str, data: bytes) -> None:
        """Bind a variable to an encoded value."""
        delta = self.delta or self._changing()
        old = self.variables.get(name)
        if type(old) is bytes and len(old) > LARGE:
            self._keep(delta, "v", name, old, delta.variables)
        self.variables[name] = data
        delta.variables[name] = data
        delta.appended.pop(name, None)
        self.names.pop(name, None)

    def unbind(self, name: str) -> None:
        """Remove a variable, if it is there."""
        if self.variables.pop(name, None) is None:
            return
        delta = self.delta or self._changing()
        delta.variables[name] = None
        delta.appended.pop(name, None)
        self.names.pop(name, None)

    def append(self, name: str, parts: list[bytes]) -> None:
        """Append encoded elements to a variable of this scope that holds a list."""
        found = self.variables[name]
        if not isinstance(found, Chunks):
            found = self.variables[name] = Chunks([found[1:-1]] if len(found) > 2 else [])
        found.parts.extend(parts)
        delta = self.delta or self._changing()
        delta.appended.setdefault(name, []).extend(parts)
        self.names.pop(name, None)

    def drop(self) -> None:
        """Forget the scope: its branch has been joined."""
        delta = self._changing()
        delta.dropped = True
        delta.state.clear()
        delta.variables.clear()
        delta.appended.clear()

    def let_go(self) -> None:
        """Cut what refers to itself; nobody reads names here any more."""
        del self.names

    # Storing

    def take_delta(self) -> dict[str, object]:
        """The tree of what changed, and begin a new delta."""
        delta = self.delta
        self.delta = None
        return delta.to_tree() if delta is not None else {}

    def snapshot(self) -> dict[str, object]:
        """A tree of everything in the scope itself."""
        own = self.fields if self.parent is None else self.own
        return {
            "s": {name: orjson.Fragment(data) for name, data in own.items()},
            "d": [name for name, data in own.items() if is_default(data)],
            "v": {
                name: orjson.Fragment(data.join() if isinstance(data, Chunks) else data)
                for name, data in self.variables.items()
            },
        }

    def see(self, other: "Scope", outputs: Iterable[tuple[str, bytes]] = ()) -> None:
        """Read the variables of an earlier branch, too."""
        for name, data in other.variables.items():
            if name[0] != "@":
                self.base_variables[name] = data.join() if isinstance(data, Chunks) else data
        self.base_variables.update(outputs)


class StoredScopes:
    """The scopes of an instance as read from its snapshot and the deltas after it."""

    def __init__(self, snapshot: bytes) -> None:
        self.trees: dict[str, tuple[dict[str, bytes], dict[str, bytes | Chunks]]] = {}
        for name, tree in cast("dict[str, dict[str, Any]]", orjson.loads(snapshot)).items():
            fields = _texts(tree["s"])
            for default in tree["d"]:
                fields[default] = b" " + fields[default]
            self.trees[name] = (fields, dict(_texts(tree["v"])))

    def apply(self, delta: bytes) -> None:
        """Apply the delta of one log entry."""
        if not delta:
            return
        for name, tree in cast("dict[str, dict[str, Any]]", orjson.loads(delta)).items():
            if "x" in tree:
                self.trees.pop(name, None)
                continue
            fields, variables = self.trees.setdefault(name, ({}, {}))
            for place, splice in tree.get("p", {}).items():
                self._splice(fields if place[0] == "s" else variables, place[1:], splice)
            fields.update(_texts(tree.get("s", {})))
            for variable, box in tree.get("v", {}).items():
                if box:
                    variables[variable] = orjson.dumps(box[0])
                else:
                    variables.pop(variable, None)
            for variable, parts in tree.get("a", {}).items():
                self._append(variables, variable, [orjson.dumps(part) for part in parts])

    @staticmethod
    def _splice(values: "dict[str, bytes] | dict[str, bytes | Chunks]", name: str, splice: list[Any]) -> None:
        old = values[name]
        values[name] = spliced(old.join() if isinstance(old, Chunks) else old, splice)

    @staticmethod
    def _append(variables: dict[str, bytes | Chunks], name: str, parts: list[bytes]) -> None:
        found = variables[name]
        if not isinstance(found, Chunks):
            found = variables[name] = Chunks([found[1:-1]] if len(found) > 2 else [])
        found.parts.extend(parts)

    def fill(self, scope: Scope) -> None:
        """Give a scope its stored contents."""
        fields, variables = self.trees.get(scope.name, ({}, {}))
        scope.fields.update(fields)
        if scope.parent is not None:
            scope.own.update(fields)
        scope.variables.update(variables)


def _texts(tree: Mapping[str, object]) -> dict[str, bytes]:
    return {name: orjson.dumps(value) for name, value in tree.items()}
