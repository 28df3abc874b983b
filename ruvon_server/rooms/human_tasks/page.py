"""The page of an approval link, for people: what it does, and one button."""

from html import escape
from typing import Final

import orjson

from ruvon_server.rooms.human_tasks import models

__all__ = ["POLICY", "done_page", "view_page"]

POLICY: Final = "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
_FRAME: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex"><title>{title}</title></head>
<body><main><h1>{title}</h1>{body}</main></body></html>
"""


def view_page(view: models.ApprovalView) -> str:
    """What a link does."""
    if not view.is_open:
        return _page("This is done", "<p>The task waits no more; this link is of no use any longer.</p>")
    shown = f"<h2>About</h2><pre>{_json(view.show)}</pre>" if view.show is not None else ""
    return _page(
        f"{view.name} ({view.workflow_type})",
        f"{shown}<h2>Your answer</h2><pre>{_json(view.answer)}</pre>"
        '<form method="post"><button type="submit">Give this answer</button></form>',
    )


def done_page(result: models.ApprovalResult) -> str:
    """The answer was given."""
    return _page("Thank you", f"<p>Your answer was taken.</p><pre>{_json(result.answer)}</pre>")


def _page(title: str, body: str) -> str:
    return _FRAME.format(title=escape(title), body=body)


def _json(value: object) -> str:
    return escape(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())
