"""`Jinja2TemplateEngine`: texts with holes, in Jinja2's immutable sandbox, with limits.

A template can read data and loop over it. It cannot reach attributes that begin with an underscore, change a value, call
anything but the filters and tests of Jinja2, include another template, or build more than a limit of text, on the way
or in the end: what an operation would make is counted before it is made (`_bounds`).
"""

from collections.abc import Callable, Mapping, Sized
from datetime import date, time, timedelta
from decimal import Decimal
from functools import wraps
from typing import Any, Final, cast, final

from jinja2 import StrictUndefined, Template, Undefined, nodes, pass_context
from jinja2 import TemplateError as Jinja2Error
from jinja2.runtime import Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ruvon.implementations.templating._bounds import (
    call_cost,
    charge,
    filter_cost,
    filter_input,
    is_lazy,
    metered,
    operator_cost,
    printed,
)
from ruvon.providers import TemplateError

__all__ = ["Jinja2TemplateEngine"]

_REMOVED_FILTERS: Final = ("attr", "format", "map", "pprint", "random", "tojson", "xmlattr")
_REMOVED_GLOBALS: Final = ("cycler", "joiner", "lipsum", "namespace", "range")
_REMOVED_METHODS: Final = frozenset({"format", "format_map", "translate"})
_DATA: Final = (str, int, float, bool, list, tuple, dict, Decimal, date, time, timedelta)
_TURNS: Final = "(turns)"
"""The filter around what a loop goes over; no template can write its name."""
_REPEATED: Final = (nodes.For, nodes.Macro, nodes.CallBlock, nodes.FilterBlock, nodes.AssignBlock)
"""Statements whose text may be put out many times, or into a variable."""


class _Sandbox(ImmutableSandboxedEnvironment):
    """The sandbox with calls of plain data methods only, where everything that grows a value is counted."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Count what the operator makes."""
        charge(operator_cost(operator, left, right))
        return super().call_binop(context, operator, left, right)

    def call(self, context: Any, called: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Count what the method makes, as in `'a'.ljust(10**10)`; every call counts, so a macro ends that calls itself."""
        charge(call_cost(called, args, kwargs))
        result = super().call(context, called, *args, **kwargs)
        charge(len(result) if isinstance(result, Sized) else 1)
        return result

    def is_safe_callable(self, obj: Any) -> bool:
        """Only methods of plain data, and the macros of the template itself."""
        owner = getattr(obj, "__self__", None)
        if isinstance(obj, Macro):
            return True
        return owner is not None and isinstance(owner, _DATA) and super().is_safe_callable(obj)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """No attribute that begins with an underscore, and no method of `str` that formats."""
        if attr.startswith("_") or (isinstance(obj, str) and attr in _REMOVED_METHODS):
            return False
        return super().is_safe_attribute(obj, attr, value)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        """The tree of a template with what Jinja2 does by itself (`~`, loops, repeated text) made countable."""
        tree = super()._parse(source, name, filename)
        for concat in list(tree.find_all(nodes.Concat)):
            concat.nodes = [_filtered(nodes.List(concat.nodes, lineno=concat.lineno), "join")]
        for loop in list(tree.find_all(nodes.For)):
            loop.iter = _filtered(loop.iter, _TURNS)
        for statement in list(tree.find_all(_REPEATED)):
            for output in list(statement.find_all(nodes.Output)):
                output.nodes = [_countable(node) for node in output.nodes]
        return tree


def _filtered(node: nodes.Node, name: str) -> nodes.Filter:
    return nodes.Filter(cast("nodes.Expr", node), name, [], [], None, None, lineno=node.lineno)


def _countable(node: nodes.Expr) -> nodes.Expr:
    """A fixed text as a constant, which goes through `_put_out` like every value."""
    return nodes.Const(node.data, lineno=node.lineno) if isinstance(node, nodes.TemplateData) else node


def _turns(value: Any) -> Any:
    """What a loop goes over, its turns counted before the first one."""
    items: Any = list(value) if is_lazy(value) else value
    charge(len(items) if isinstance(items, Sized) else 1)
    return items


@pass_context
def _put_out(_context: Any, value: Any) -> Any:
    """A value on its way into the text; that it wants the context keeps Jinja2 from doing it while compiling."""
    charge(printed(value))
    return value if isinstance(value, str) else str(value)


def _bounded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that counts what it makes; what Jinja2 passes before the value stays as it is."""
    first = 1 if hasattr(function, "jinja_pass_arg") else 0

    @wraps(function)
    def bounded(*args: Any, **kwargs: Any) -> Any:
        value = filter_input(name, args[first])
        charge(filter_cost(name, (value, *args[first + 1 :]), kwargs))
        result = function(*args[:first], value, *args[first + 1 :], **kwargs)
        charge(len(result) if isinstance(result, Sized) and not isinstance(result, Undefined) else 1)
        return result

    return bounded


@final
class Jinja2TemplateEngine:
    """Renders templates.

    Args:
        max_template: longest template, in characters.
        max_output: longest text it may render to, in characters.
    """

    def __init__(self, *, max_template: int = 64_000, max_output: int = 64_000) -> None:
        self._max_template = max_template
        self._max_output = max_output
        self._environment = _Sandbox(undefined=StrictUndefined, autoescape=False, finalize=_put_out)
        filters = self._environment.filters
        for name in _REMOVED_FILTERS:
            filters.pop(name, None)
        for name in list(filters):
            filters[name] = _bounded(name, filters[name])
        filters[_TURNS] = _turns
        for name in _REMOVED_GLOBALS:
            self._environment.globals.pop(name, None)
        self._templates: dict[str, Template] = {}

    def render(self, template: str, context: Mapping[str, Any], /) -> str:
        """The text of `template` with the names of `context`.

        Raises:
            TemplateError: it is malformed, unsafe, too large, or names something that is not there.
        """
        if len(template) > self._max_template:
            raise TemplateError(f"it has {len(template):,} characters, more than the {self._max_template:,} allowed")
        try:
            with metered():
                return self._rendered(template, context)
        except Jinja2Error as exc:
            raise TemplateError(f"{type(exc).__name__}: {exc}") from exc
        except (
            ArithmeticError,
            AttributeError,
            LookupError,
            MemoryError,
            RecursionError,
            TypeError,
            ValueError,
        ) as exc:
            if isinstance(exc, TemplateError):
                raise
            raise TemplateError(f"{type(exc).__name__}: {exc}") from exc

    def _rendered(self, template: str, context: Mapping[str, Any]) -> str:
        parts: list[str] = []
        size = 0
        for part in self._compiled(template).generate(dict(context)):
            size += len(part)
            if size > self._max_output:
                raise TemplateError(f"it renders to more than the {self._max_output:,} characters allowed")
            parts.append(part)
        return "".join(parts)

    def _compiled(self, template: str) -> Template:
        known = self._templates.get(template)
        if known is None:
            if len(self._templates) >= 1024:
                self._templates.clear()
            known = self._templates[template] = self._environment.from_string(template)
        return known
