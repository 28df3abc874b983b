"""`template`: text with filters or blocks of a template language, which no f-string can say.

What a plain `{{ expression }}` can say is an f-string in Python; only the rest stays a template. It is rendered by the
run's template engine with the body's own names, and an unknown name is an error.
"""

import sys

from ruvon.authoring._work import driver_of

__all__ = ["template"]


def template(text: str, /) -> str:
    """Render a template with the names of the body it stands in (`state` and the variables).

    Args:
        text: a literal template, in Jinja's language with the built-in engine.

    Raises:
        TemplateError: the template is wrong, or names what does not exist.
    """
    names = sys._getframe(1).f_locals  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    return driver_of("`template`", "call it in a `@workflow` body").render(text, dict(names))
