"""The JSON Schema of workflow and registry files, made of the key tables that the checker uses.

Editors read it for completion and first checks; the checker itself says more. Every spelling that is accepted is in it,
aliases marked as such, so that an editor never underlines what the compiler takes.
"""

from collections.abc import Mapping
from typing import Final

from ruvon_dsl.yaml._keys import Key, Kind, Table
from ruvon_dsl.yaml._keys_common import ELIF, HANDLER, RETRY, ROUTE, TARGET
from ruvon_dsl.yaml._keys_flow import BRANCH, SHORT_TABLES, TASK_KEYS
from ruvon_dsl.yaml._keys_header import REGISTRY, WORKFLOW
from ruvon_dsl.yaml._keys_steps import CUSTOM
from ruvon_dsl.yaml._steps import STEP_TABLES

__all__ = ["json_schema"]

_Schema = dict[str, object]

_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
_TEXT: Final[Mapping[str, object]] = {"type": "string"}
_DURATION: Final[Mapping[str, object]] = {
    "anyOf": [
        {"type": "number", "minimum": 0},
        {"type": "string", "pattern": r"^([0-9]|P|\$\{)", "examples": ["30s", "6h", "1h30m", "PT6H"]},
    ]
}


def json_schema() -> dict[str, object]:
    """The schema of both kinds of file (draft 2020-12); `$defs` holds `workflow`, `registry` and every step type."""
    return {
        "$schema": _DRAFT,
        "title": "Ruvon workflow or registry file",
        "anyOf": [_ref("workflow"), _ref("registry")],
        "$defs": {
            "workflow": _table(WORKFLOW),
            "registry": _table(REGISTRY),
            **{_def(name): _step(name, table) for name, table in STEP_TABLES.items()},
            **{f"short_{name}": _short(name, table) for name, table in SHORT_TABLES.items()},
            "custom_step": _custom(),
            "step": _any_step(),
            "steps": {"anyOf": [{"type": "array", "items": _ref("step")}, _ref("step"), {"type": "null"}]},
            "value": {
                "description": "A literal, `=expression`, text with `{{ expression }}`, or a list or mapping of them."
            },
            "retry": {"anyOf": [_table(RETRY), {"type": "integer", "minimum": 1}, {"type": "null"}]},
            "route": _table(ROUTE),
            "elif": _table(ELIF),
            "handler": _table(HANDLER),
            "branch": {"anyOf": [_table(BRANCH), _ref("steps")]},
            "output": {"anyOf": [_TEXT, _table(TARGET)]},
        },
    }


def _ref(name: str) -> _Schema:
    return {"$ref": f"#/$defs/{name}"}


def _def(type_name: str) -> str:
    return f"step_{type_name.lower()}"


def _table(table: Table) -> _Schema:
    """A mapping with the keys of a table and no others."""
    schema: _Schema = {
        "type": "object",
        "description": table.doc,
        "properties": {spelling: _key(key, spelling) for key in table.keys for spelling in key.spellings},
        "additionalProperties": table.open,
    }
    required = [_spelled(key) for key in table.keys if key.required]
    if required:
        schema["allOf"] = required
    return schema


def _spelled(key: Key) -> _Schema:
    """One of the spellings of a key must be there."""
    if not key.aliases:
        return {"required": [key.name]}
    return {"anyOf": [{"required": [spelling]} for spelling in key.spellings]}


def _key(key: Key, spelling: str) -> _Schema:
    schema = _kind(key)
    doc = key.doc if spelling == key.name else f"Another spelling of `{key.name}`. {key.doc}"
    return {"description": doc, **schema} if "$ref" not in schema else {"description": doc, "allOf": [schema]}


_SIMPLE: Final[Mapping[Kind, _Schema]] = {
    Kind.TEXT: {"type": ["string", "number", "boolean", "null"]},
    Kind.NAME: {"type": ["string", "null"]},
    Kind.PATH: {"type": ["string", "null"]},
    Kind.TYPE: {"type": ["string", "null"]},
    Kind.CONDITION: {"type": ["string", "number", "boolean"]},
    Kind.STEP_NAME: {"type": ["string", "null"]},
    Kind.BOOL: {"type": ["boolean", "null"]},
    Kind.COUNT: {"type": ["integer", "null"], "minimum": 1},
    Kind.MILLISECONDS: {"type": ["number", "null"], "exclusiveMinimum": 0},
    Kind.TEXTS: {
        "anyOf": [{"type": ["string", "number", "null"]}, {"type": "array", "items": {"type": ["string", "number"]}}]
    },
    Kind.TARGETS: {"type": "object", "additionalProperties": _ref("value")},
    Kind.VALUES: {"type": ["object", "null"], "additionalProperties": _ref("value")},
    Kind.TYPES: {"type": ["object", "null"], "additionalProperties": {"type": "string"}},
    Kind.PATHS: {"type": ["object", "null"], "additionalProperties": {"type": "string"}},
    Kind.CONSTANTS: {"type": ["object", "null"]},
    Kind.VALUE: _ref("value"),
    Kind.STEPS: _ref("steps"),
    Kind.STEP: _ref("step"),
    Kind.EXIT: {"anyOf": [{"type": "string"}, _ref("steps")]},
    Kind.ROUTES: {"type": ["array", "null"], "items": _ref("route")},
    Kind.ELIFS: {"anyOf": [{"type": "array", "items": _ref("elif")}, _ref("elif")]},
    Kind.HANDLERS: {"anyOf": [{"type": "array", "items": _ref("handler")}, _ref("handler")]},
    Kind.TASKS: {"type": "array", "items": _ref("step")},
    Kind.BRANCHES: {"type": "object", "additionalProperties": _ref("branch")},
    Kind.RETRY: _ref("retry"),
    Kind.TARGET: _ref("output"),
    Kind.FREE: {},
    Kind.NOTHING: {},
}


def _kind(key: Key) -> _Schema:
    match key.kind:
        case Kind.DURATION:
            return {"anyOf": [_DURATION, {"type": "null"}]}
        case Kind.CHOICE:
            words = [*key.choices, *(word.lower() for word in key.choices), *(word.upper() for word in key.choices)]
            return {"enum": list(dict.fromkeys(words))}
        case Kind.COMPENSATION | Kind.TABLE if key.table is not None:
            return {"anyOf": [{"type": ["string", "null"]}, _table(key.table)]}
        case Kind.ENTRIES if key.table is not None:
            return {"type": "array", "items": _table(key.table)}
        case _:
            return dict(_SIMPLE.get(key.kind, {}))


def _step(name: str, table: Table) -> _Schema:
    """A step with its `type`; STANDARD may leave it out."""
    schema = _with_task_keys(_table(table))
    properties = schema["properties"]
    if isinstance(properties, dict):
        for spelling in ("type", "step_type"):
            properties[spelling] = {"enum": [name, name.lower()], "description": table.doc}
    if name != "STANDARD":
        typed: _Schema = {"anyOf": [{"required": ["type"]}, {"required": ["step_type"]}]}
        known = schema.get("allOf", [])
        schema["allOf"] = [*(known if isinstance(known, list) else []), typed]
    return schema


def _short(name: str, table: Table) -> _Schema:
    schema = _with_task_keys(_table(table))
    schema["allOf"] = [{"required": [name]}]
    return schema


def _with_task_keys(schema: _Schema) -> _Schema:
    """Steps may stand as tasks of a PARALLEL, where they have a few more keys."""
    known = schema["properties"]
    tasks: dict[str, object] = {key.name: _key(key, key.name) for key in TASK_KEYS}
    return {**schema, "properties": {**tasks, **(known if isinstance(known, dict) else {})}}


def _custom() -> _Schema:
    """A step of a registered type: any name that no built-in type has."""
    schema = _table(CUSTOM)
    taken = [word for name in STEP_TABLES for word in (name, name.lower())]
    properties = schema["properties"]
    if isinstance(properties, dict):
        for spelling in ("type", "step_type"):
            properties[spelling] = {"type": "string", "not": {"enum": taken}}
    schema["anyOf"] = [{"required": ["type"]}, {"required": ["step_type"]}]
    return schema


def _any_step() -> _Schema:
    names = [_def(name) for name in STEP_TABLES]
    shorts = [f"short_{name}" for name in SHORT_TABLES]
    words: _Schema = {"enum": ["break", "continue", "return"]}
    return {"anyOf": [*(_ref(name) for name in (*names, *shorts, "custom_step")), words]}
