"""`template`: text with filters or blocks of Jinja, which no f-string can say.

What a plain `{{ expression }}` can say is an f-string in Python; only the rest stays a template. It is rendered in
Jinja's immutable sandbox with the body's own names, and an unknown name is an error.
"""

import sys
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

__all__ = ["template"]


@lru_cache(maxsize=1)
def _environment() -> "ImmutableSandboxedEnvironment":
    from jinja2 import StrictUndefined  # noqa: PLC0415 - loaded on first use, to keep `import ruvon` cheap
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415 - as above

    return ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)


def template(text: str, /) -> str:
    """Render a Jinja template with the names of the body it stands in (`state` and the variables).

    Args:
        text: a literal template.

    Raises:
        jinja2.TemplateError: the template is wrong, or names what does not exist.
    """
    names = sys._getframe(1).f_locals  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    return _environment().from_string(text).render(names)
