"""What is known at one point of a workflow: its variables, their types, and how the point was reached.

An `Env` is a fact of the data-flow analysis. Facts are values; where two paths meet they are joined: a variable that only
one path sets stays known with the path that leaves it out, so that a finding can show both.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, final

from ruvon.ir._spans import Span
from ruvon_dsl._link._unions import union_of

__all__ = ["Binding", "Env", "Via", "join", "join_maybe"]


@final
@dataclass(frozen=True, slots=True)
class Via:
    """One turn of a path: an arm of a decision, a loop that ended, a handler."""

    node: str
    label: str
    span: Span | None = field(default=None, compare=False)


@final
@dataclass(frozen=True, slots=True)
class Binding:
    """A variable at one point: the type of its value, where it was set, and the path that does not set it, if any."""

    type: object
    site: Span | None = field(default=None, compare=False)
    missing: Via | None = None


_NOTHING: Final[Mapping[str, object]] = MappingProxyType({})
_SOMEWHERE: Final = Via("", "on another path")


@final
@dataclass(frozen=True, slots=True)
class Env:
    """The fact at one point."""

    variables: Mapping[str, Binding] = field(default_factory=lambda: MappingProxyType({}))
    narrowed: Mapping[str, object] = field(default_factory=lambda: _NOTHING)
    """What conditions on the way have shown of paths such as `state.owner`: a narrower type than the declared one."""
    path: tuple[Via, ...] = ()
    """The turns taken so far, as far as all ways to this point share them."""

    def bind(self, name: str, type_: object, site: Span | None) -> "Env":
        """The fact after `name` was set."""
        variables = {**self.variables, name: Binding(type_, site)}
        return replace(self.forget(name), variables=MappingProxyType(variables))

    def unbind(self, name: str) -> "Env":
        """The fact after `name` was deleted, as Python does at the end of a handler."""
        kept = {known: binding for known, binding in self.variables.items() if known != name}
        return replace(self.forget(name), variables=MappingProxyType(kept))

    def forget(self, root: str) -> "Env":
        """The fact without what was shown of `root` and of everything below it."""
        kept = {path: shown for path, shown in self.narrowed.items() if not _below(path, root)}
        return self if len(kept) == len(self.narrowed) else replace(self, narrowed=MappingProxyType(kept))

    def narrow(self, shown: Mapping[str, object]) -> "Env":
        """The fact with narrower types; a plain variable's own type is narrowed in place."""
        if not shown:
            return self
        variables = dict(self.variables)
        narrowed = dict(self.narrowed)
        for path, type_ in shown.items():
            if path in variables:
                variables[path] = replace(variables[path], type=type_)
            else:
                narrowed[path] = type_
        return replace(self, variables=MappingProxyType(variables), narrowed=MappingProxyType(narrowed))

    def turn(self, via: Via) -> "Env":
        """The fact behind one more turn; a turn that was taken before cuts the path back to it."""
        known = self.path.index(via) if via in self.path else len(self.path)
        return replace(self, path=(*self.path[:known], via))


def _below(path: str, root: str) -> bool:
    return path == root or path.startswith((f"{root}.", f"{root}["))


def join_maybe(old: Env | None, new: Env | None) -> Env | None:
    """`join`, where a missing fact is a path that does not exist."""
    if old is None or new is None:
        return new if old is None else old
    return join(old, new)


def join(old: Env, new: Env) -> Env:
    """The fact where two paths meet."""
    if old is new:
        return old
    shared = _shared(old.path, new.path)
    variables = dict(old.variables)
    if old.variables is not new.variables:
        old_turn, new_turn = _turn(old, shared), _turn(new, shared)
        for name in (*variables, *(name for name in new.variables if name not in variables)):
            one, other = old.variables.get(name), new.variables.get(name)
            if one is not other:
                variables[name] = _joined(one, other, old_turn, new_turn)
    narrowed = {
        path: union_of(shown, new.narrowed[path]) for path, shown in old.narrowed.items() if path in new.narrowed
    }
    return Env(MappingProxyType(variables), MappingProxyType(narrowed), old.path[:shared])


def _joined(old: Binding | None, new: Binding | None, old_turn: Via, new_turn: Via) -> Binding:
    if old is None and new is not None:
        return replace(new, missing=new.missing or old_turn)
    if new is None and old is not None:
        return replace(old, missing=old.missing or new_turn)
    if old is None or new is None:
        raise AssertionError("a variable of neither side is joined")
    return Binding(union_of(old.type, new.type), old.site or new.site, old.missing or new.missing)


def _shared(old: tuple[Via, ...], new: tuple[Via, ...]) -> int:
    count = 0
    for left, right in zip(old, new, strict=False):
        if left != right:
            break
        count += 1
    return count


def _turn(env: Env, shared: int) -> Via:
    return env.path[shared] if shared < len(env.path) else _SOMEWHERE
