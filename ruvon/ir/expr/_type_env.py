"""What the checker is told about the place of an expression, and what it answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, final

from ruvon.ir._diagnostics import Diagnostic, Severity
from ruvon.ir.expr._nodes import Expr

__all__ = ["Checked", "TypeEnv"]

_NOTHING: Final[Mapping[str, object]] = MappingProxyType({})


@final
@dataclass(frozen=True, slots=True)
class TypeEnv:
    """The names an expression may read and what is known about them.

    Types are ordinary annotations, resolved: classes, unions, `Literal`, generics. `object` and `Any` mean unknown.
    """

    names: Mapping[str, object]
    """The type of every name, `state` among them."""
    narrowed: Mapping[str, object] = field(default_factory=lambda: _NOTHING)
    """Types known more exactly here, by dotted path (`state.owner`); the narrowings of a `Checked` can be put in."""
    resolve: Callable[[str], object] | None = None
    """Gives the class or function behind a reference's path, or raises LookupError; without it they are unknown."""

    def narrow(self, narrowed: Mapping[str, object]) -> "TypeEnv":
        """The same place with more known about some paths."""
        return replace(self, narrowed={**self.narrowed, **narrowed}) if narrowed else self

    def bind(self, names: Mapping[str, object]) -> "TypeEnv":
        """The same place with further names, which hide outer ones and what was known about them."""
        kept = {path: kind for path, kind in self.narrowed.items() if path.partition(".")[0] not in names}
        return replace(self, names={**self.names, **names}, narrowed=kept)


@final
@dataclass(frozen=True, slots=True)
class Checked:
    """What is known about an expression."""

    expr: Expr
    type: object
    """Its type; `object` where it is unknown."""
    diagnostics: tuple[Diagnostic, ...] = ()
    """All findings, errors and warnings."""
    narrowing_true: Mapping[str, object] = field(default_factory=dict[str, object])
    """What is known about paths where the expression is true, for the branch behind it."""
    narrowing_false: Mapping[str, object] = field(default_factory=dict[str, object])
    """What is known about paths where it is false."""

    @property
    def ok(self) -> bool:
        """Whether nothing but warnings and notes was found."""
        return all(item.severity is not Severity.ERROR for item in self.diagnostics)
