"""Asking a person for data field by field, as a JSON Schema says; works at a terminal and with piped answers.

Prompts go to standard error, so that standard output holds results only.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

import rich_click as click

from ruvon.cli._output import Exit, fail, to_json
from ruvon.cli._waits import resolved

if TYPE_CHECKING:
    from ruvon.ir import Definition

__all__ = ["ask_form", "ask_initial", "ask_until_valid", "fields_named"]

Schema = Mapping[str, Any]
_MISSING: Final = object()
_NO_VALUE: Final = ""


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
    required = set(cast("list[str]", whole.get("required", [])))
    found: dict[str, Any] = {}
    for name, field in fields.items():
        if only is None or name in only:
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
        path = problem.split("`")[1] if problem.count("`") >= 2 else ""  # noqa: PLR2004  # an opening and a closing one
        named |= {part for part in path.replace("[", ".").split(".")[:2] if part in fields}
    return frozenset(named)


def ask_initial(definition: "Definition", known: object) -> dict[str, Any]:
    """The initial data of a workflow, asked for by its state's schema."""
    if known is not None and not isinstance(known, dict):
        fail("the initial data is no JSON object", Exit.USAGE)
    schema = definition.schemas.get(definition.state)
    click.secho(f"{definition.workflow_type}: the initial data", err=True, bold=True)
    return ask_until_valid(schema, lambda _: (), cast("dict[str, Any] | None", known))


def _ask_object() -> dict[str, Any]:
    while True:
        value = _ask_json("data", "a JSON object", "{}")
        if isinstance(value, dict):
            return cast("dict[str, Any]", value)
        click.secho("  that is no JSON object", err=True, fg="red")


def _ask_field(name: str, schema: Schema, declared: Schema, *, required: bool) -> Any:
    """One field's value, or `_MISSING` where it is left out."""
    default = declared.get("default", schema.get("default", _MISSING))
    options = cast("list[object] | None", schema.get("enum"))
    if declared.get("description"):
        click.secho(f"  {declared['description']}", err=True, dim=True)
    if "const" in schema:
        return schema["const"]
    if options is not None:
        return _ask_choice(name, options, default, required=required)
    match schema.get("type"):
        case "boolean":
            return _ask_typed(name, click.BOOL, default, required=required)
        case "integer":
            return _ask_typed(name, click.INT, default, required=required)
        case "number":
            return _ask_typed(name, click.FLOAT, default, required=required)
        case "string":
            hint = f" ({schema['format']})" if schema.get("format") else ""
            return _ask_typed(name, click.STRING, default, required=required, hint=hint)
        case None if "anyOf" in declared and any(
            item.get("type") == "string" for item in cast("list[Schema]", declared["anyOf"])
        ):
            return _ask_typed(name, click.STRING, default, required=required)
        case _:
            return _ask_nested(name, default, required=required)


def _ask_typed(name: str, kind: click.ParamType, default: object, *, required: bool, hint: str = "") -> Any:
    shown = default if default is not _MISSING and default is not None else None
    if required or shown is not None:
        return _prompt(f"{name}{hint}", kind, shown)
    value = _prompt(f"{name}{hint} (optional)", _Optional(kind), _NO_VALUE)
    return _MISSING if value == _NO_VALUE else value


def _ask_choice(name: str, options: list[object], default: object, *, required: bool) -> Any:
    texts = {item if isinstance(item, str) else to_json(item, indent=False): item for item in options}
    kind = click.Choice(list(texts))
    shown = next((text for text, item in texts.items() if item == default), None) if default is not _MISSING else None
    if required or shown is not None:
        return texts[_prompt(name, kind, shown)]
    value = _prompt(f"{name} (optional; one of {', '.join(texts)})", _Optional(kind), _NO_VALUE)
    return texts.get(value, _MISSING)


def _ask_nested(name: str, default: object, *, required: bool) -> Any:
    shown = to_json(default, indent=False) if default is not _MISSING and default is not None else None
    if required or shown is not None:
        return _ask_json(name, "JSON", shown)
    value = _prompt(f"{name} (optional, JSON)", _Json(optional=True), _NO_VALUE)
    return _MISSING if value == _NO_VALUE else value


def _ask_json(name: str, what: str, default: str | None) -> Any:
    return _prompt(f"{name} ({what})", _Json(), default)


def _prompt(text: str, kind: click.ParamType, default: object) -> Any:
    """Ask, and ask again until the text can be read; the end of the input ends the command."""
    try:
        return click.prompt(text, type=kind, default=default, err=True, show_default=default not in {None, _NO_VALUE})
    except click.Abort:
        click.echo(err=True)
        fail(f"the input ended before `{text}` was answered")


class _Optional(click.ParamType):
    """Another type, or nothing."""

    name = "optional"

    def __init__(self, kind: click.ParamType) -> None:
        self._kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """An empty answer stays empty."""
        return value if value == _NO_VALUE else self._kind.convert(value, param, ctx)


class _Json(click.ParamType):
    """JSON text."""

    name = "json"

    def __init__(self, *, optional: bool = False) -> None:
        self._optional = optional

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The value of the text."""
        import orjson  # noqa: PLC0415

        if self._optional and value == _NO_VALUE:
            return value
        try:
            return orjson.loads(value)
        except (orjson.JSONDecodeError, TypeError) as exc:
            self.fail(f"that is no JSON: {exc}", param, ctx)
