"""`TemplateEngine`: the seam for texts with holes."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from ruvon.providers._errors import TemplateError

__all__ = ["TemplateEngine", "TemplateError"]


@runtime_checkable
class TemplateEngine(Protocol):
    """Renders a template with named values; it can neither reach attributes that begin with `_` nor change a value."""

    def render(self, template: str, context: Mapping[str, Any], /) -> str:
        """The text of `template` with the names of `context`.

        Raises:
            TemplateError: it is malformed, unsafe, too large, or names something that is not there.
        """
        ...
