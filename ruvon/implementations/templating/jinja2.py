"""`Jinja2TemplateEngine`: texts with holes, in Jinja2's immutable sandbox, with limits.

A template can read data and loop over it. It cannot reach attributes that begin with an underscore, change a value, call
anything but the filters and tests of Jinja2, include another template, or produce more than a limit of text.
"""

from collections.abc import Callable, Mapping, Sized
from datetime import date, time, timedelta
from decimal import Decimal
from functools import wraps
from typing import Any, Final, final

from jinja2 import StrictUndefined, Template
from jinja2 import TemplateError as Jinja2Error
from jinja2.runtime import Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ruvon.providers import TemplateError

__all__ = ["Jinja2TemplateEngine"]

_UNSAFE_FILTERS: Final = ("attr", "format", "map", "xmlattr", "pprint", "tojson")
_SIZED_FILTERS: Final = ("batch", "center", "indent", "slice", "truncate", "urlize", "wordwrap")
_UNSAFE_GLOBALS: Final = ("cycler", "joiner", "lipsum", "namespace", "range")


_DATA: Final = (str, int, float, bool, list, tuple, dict, Decimal, date, time, timedelta)
_LONGEST_PRODUCT: Final = 64_000
_LARGEST_POWER: Final = 1_000


class _Sandbox(ImmutableSandboxedEnvironment):
    """The sandbox with calls of plain data methods only, and without operators that blow up."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Refuse products of texts and lists, and powers, that would take all memory, and texts as formats."""
        if operator == "%":
            if isinstance(left, str):
                raise TemplateError("a text is no format here; write the value with a filter such as `round`")
        elif operator == "*":
            for text, times in ((left, right), (right, left)):
                if isinstance(times, int) and isinstance(text, Sized) and len(text) * times > _LONGEST_PRODUCT:
                    raise TemplateError(f"a product of more than {_LONGEST_PRODUCT:,} items")
        elif not isinstance(right, int) or abs(right) > _LARGEST_POWER:
            raise TemplateError(f"a power above {_LARGEST_POWER:,}")
        return super().call_binop(context, operator, left, right)

    def call(self, context: Any, called: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Refuse widths and counts that would take all memory, as in `'a'.ljust(10**10)`."""
        _require_small(args, kwargs)
        return super().call(context, called, *args, **kwargs)

    def is_safe_callable(self, obj: Any) -> bool:
        """Only methods of plain data, and the macros of the template itself."""
        owner = getattr(obj, "__self__", None)
        if isinstance(obj, Macro):
            return True
        return owner is not None and isinstance(owner, _DATA) and super().is_safe_callable(obj)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """No attribute that begins with an underscore, and no method of `str` that formats."""
        if attr.startswith("_") or (isinstance(obj, str) and attr in ("format", "format_map")):
            return False
        return super().is_safe_attribute(obj, attr, value)


def _require_small(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    for value in (*args, *kwargs.values()):
        if isinstance(value, int) and abs(value) > _LONGEST_PRODUCT:
            raise TemplateError(f"a width or count of more than {_LONGEST_PRODUCT:,}")


def _bounded(function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that refuses widths and counts which would take all memory."""

    @wraps(function)
    def bounded(*args: Any, **kwargs: Any) -> Any:
        _require_small(args, kwargs)
        return function(*args, **kwargs)

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
        self._environment = _Sandbox(undefined=StrictUndefined, autoescape=False)
        for name in _UNSAFE_FILTERS:
            self._environment.filters.pop(name, None)
        for name in _SIZED_FILTERS:
            self._environment.filters[name] = _bounded(self._environment.filters[name])
        for name in _UNSAFE_GLOBALS:
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
            parts: list[str] = []
            size = 0
            for part in self._compiled(template).generate(dict(context)):
                size += len(part)
                if size > self._max_output:
                    raise TemplateError(f"it renders to more than the {self._max_output:,} characters allowed")
                parts.append(part)
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
        return "".join(parts)

    def _compiled(self, template: str) -> Template:
        known = self._templates.get(template)
        if known is None:
            if len(self._templates) >= 1024:
                self._templates.clear()
            known = self._templates[template] = self._environment.from_string(template)
        return known
