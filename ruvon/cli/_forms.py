"""Asking a person for data field by field, as a JSON Schema says; works at a terminal and with piped answers.

Prompts go to standard error, so that standard output holds results only.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias, cast

import rich_click as click

from ruvon._described import resolved
from ruvon.cli._output import Exit, fail, to_json

__all__ = ["ask_form", "ask_initial", "ask_until_valid", "fields_named"]

Schema = Mapping[str, Any]
_MISSING: Final = object()
Convert: TypeAlias = Callable[[str], Any]
"""From an answer's text to its value; `UsageError` asks again."""


def ask_form(schema: Schema | None, *, only: frozenset[str] | None = None) -> dict[str, Any]:
    """The answers to the fields of an object's schema; a schema without fields asks for one JSON object.

    Args:
        schema: the JSON Schema; None where nothing is known.
        only: ask only for these fields.
    """
    whole = schema or {}
    fields = cast("Mapping[str, Schema]", whole.get("properties", {}))
    if not fields:
        return _ask_object()
    required = cast("list[str]", whole.get("required", []))
    found: dict[str, Any] = {}
    ordered = [*(name for name in required if name in fields), *(name for name in fields if name not in required)]
    for name in ordered:
        if only is None or name in only:
            field = fields[name]
            value = _ask_field(name, resolved(field, whole), field, required=name in required)
            if value is not _MISSING:
                found[name] = value
    return found


def ask_until_valid(
    schema: Schema | None, check: Callable[[dict[str, Any]], Sequence[str]], known: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Ask for a form until it is valid: what `check` complains of is shown, and the fields concerned are asked again.

    Args:
        schema: the JSON Schema of the form.
        check: says what is wrong with the answers; nothing when they fit.
        known: answers that are given already and not asked for.
    """
    given = dict(known or {})
    fields = frozenset(cast("Mapping[str, Schema]", (schema or {}).get("properties", {})))
    data = {**given, **ask_form(schema, only=fields - set(given) if given else None)}
    while problems := check(data):
        for problem in problems:
            click.secho(f"  {problem}", err=True, fg="red")
        again = fields_named(problems, fields)
        data |= ask_form(schema, only=again or None)
    return data


def fields_named(problems: Sequence[str], fields: frozenset[str]) -> frozenset[str]:
    """The top-level fields that problems such as "`state.items.0.price` should be ..." speak of."""
    named: set[str] = set()
    for problem in problems:
        path = problem.split("`")[1] if problem.count("`") >= 2 else ""
        named |= {part for part in path.replace("[", ".").split(".")[:2] if part in fields}
    return frozenset(named)


def ask_initial(workflow_type: str, schema: Schema | None, known: object) -> dict[str, Any]:
    """The initial data of a workflow, asked for by its state's schema."""
    if known is not None and not isinstance(known, dict):
        fail("the initial data is no JSON object", Exit.USAGE)
    click.secho(f"{workflow_type}: the initial data", err=True, bold=True)
    return ask_until_valid(schema, lambda _: (), cast("dict[str, Any] | None", known))


def _ask_object() -> dict[str, Any]:
    while True:
        value = _prompt("data (a JSON object)", _json, "{}")
        if isinstance(value, dict):
            return cast("dict[str, Any]", value)
        click.secho("  that is no JSON object", err=True, fg="red")


def _ask_field(name: str, schema: Schema, declared: Schema, *, required: bool) -> Any:
    """One field's value, or `_MISSING` where it is left out."""
    default = declared.get("default", schema.get("default", _MISSING))
    if schema.get("format") == "password":
        default = _MISSING  # the schema holds its mask, not its value
    options = cast("list[object] | None", schema.get("enum"))
    if declared.get("description"):
        click.secho(f"  {declared['description']}", err=True, dim=True)
    if "const" in schema:
        return schema["const"]
    if options is not None:
        return _ask_choice(name, options, default, required=required)
    kinds: dict[object, Convert] = {"boolean": _boolean, "integer": _integer, "number": _number, "string": _text}
    kind = _text if _may_be_text(declared) else kinds.get(schema.get("type"), _json if schema else _anything)
    hint = "JSON" if kind is _json else schema.get("format")
    text = f"{name} ({hint})" if hint else name
    return _ask_value(text, kind, default, required=required, hidden=hint == "password")


def _may_be_text(declared: Schema) -> bool:
    return any(item.get("type") == "string" for item in cast("list[Schema]", declared.get("anyOf", [])))


def _ask_value(text: str, kind: Convert, default: object, *, required: bool, hidden: bool = False) -> Any:
    """A value, or `_MISSING` where the field may be left out and the answer is empty."""
    if default is not _MISSING and default is not None:
        return _prompt(text, kind, default if isinstance(default, str) else to_json(default, indent=False))
    if required:
        return _prompt(text, kind, None, hidden=hidden)
    return _prompt(f"{text}, optional", lambda given: kind(given) if given else _MISSING, "", hidden=hidden)


def _ask_choice(name: str, options: list[object], default: object, *, required: bool) -> Any:
    texts = {item if isinstance(item, str) else to_json(item, indent=False): item for item in options}

    def choose(text: str) -> object:
        if text not in texts:
            raise click.UsageError(f"`{text}` is none of {', '.join(texts)}")
        return texts[text]

    return _ask_value(f"{name} ({' | '.join(texts)})", choose, default, required=required)


def _boolean(text: str) -> bool:
    words = {"true": True, "t": True, "yes": True, "y": True, "1": True}
    words |= {"false": False, "f": False, "no": False, "n": False, "0": False}
    if text.strip().lower() not in words:
        raise click.UsageError(f"`{text}` is neither yes nor no")
    return words[text.strip().lower()]


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise click.UsageError(f"`{text}` is no integer") from None


def _number(text: str) -> int | float | str:
    """A number; kept as text where the text is more exact than a float."""
    try:
        found = float(text)
    except ValueError:
        raise click.UsageError(f"`{text}` is no number") from None
    return found if str(found) == text else text


def _text(text: str) -> str:
    return text


def _json(text: str) -> Any:
    import orjson  # noqa: PLC0415

    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as exc:
        raise click.UsageError(f"that is no JSON: {exc}") from None


def _anything(text: str) -> Any:
    """JSON where it is some, else the text itself."""
    try:
        return _json(text)
    except click.UsageError:
        return text


def _prompt(text: str, kind: Convert, default: str | None, *, hidden: bool = False) -> Any:
    """Ask, and ask again until the text can be read; the end of the input ends the command."""
    hidden = hidden and sys.stdin.isatty()
    shown = bool(default)
    try:
        return click.prompt(text, value_proc=kind, default=default, err=True, show_default=shown, hide_input=hidden)
    except click.Abort:
        click.echo(err=True)
        fail(f"the input ended before `{text}` was answered")
