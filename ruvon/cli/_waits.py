"""What an instance waits for, in words: who is asked, for which fields."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

import rich_click as click

from ruvon._described import resolved
from ruvon.cli._output import to_json

__all__ = ["WAITS", "print_waits", "short_name"]

Schema = Mapping[str, Any]


def print_waits(waits: Iterable[Mapping[str, Any]], *, err: bool = False) -> None:
    """A line or two for each wait."""
    for wait in waits:
        name = short_name(wait) or wait["step"]
        until = f", until {wait['due_at']}" if wait.get("due_at") else ""
        key = f" with the key {wait['key']}" if wait["kind"] == "signal" and wait.get("key") else ""
        what = f"{WAITS.get(wait['kind'], wait['kind'])} {name}{key}"
        click.echo(f"  waits for {what} (step {wait['step']}){until}", err=err)
        _print_shown(wait, err=err)
        if wait.get("form"):
            click.echo(f"    asks for: {', '.join(_fields(wait['form']))}", err=err)


def short_name(wait: Mapping[str, Any]) -> str:
    """What a wait is for: the name of the signal's class without its module, of a form or of a child; may be empty."""
    name = str(wait.get("name") or "")
    return name.partition(":")[2] or name


WAITS: Final = {
    "human": "the answer",
    "input": "input",
    "signal": "the signal",
    "timer": "the moment of",
    "retry": "the next attempt of",
    "child": "the child",
    "task": "the worker of",
}
"""What a wait is for, before its name."""


def _print_shown(wait: Mapping[str, Any], *, err: bool) -> None:
    words = cast("dict[str, Any]", wait.get("show") or {})
    for name in ("role", "assignee"):
        if words.get(name) is not None:
            click.echo(f"    {name}: {words[name]}", err=err)
    shown = words.get("show")
    pairs: Mapping[str, Any] = cast("dict[str, Any]", shown) if isinstance(shown, dict) else {"shown": shown}
    for name, value in pairs.items() if shown is not None else ():
        click.echo(f"    {name}: {value if isinstance(value, str) else to_json(value, indent=False)}", err=err)


def _fields(form: Schema) -> list[str]:
    required = set(cast("list[str]", form.get("required", [])))
    fields = cast("Mapping[str, Schema]", form.get("properties", {}))
    return [f"{name} ({_kind(item, form)}{', required' if name in required else ''})" for name, item in fields.items()]


def _kind(schema: Schema, whole: Schema) -> str:
    found = resolved(schema, whole)
    if found.get("enum"):
        return " | ".join(str(item) for item in found["enum"])
    return str(found.get("type", "any"))
