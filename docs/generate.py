"""Writes the parts of the documentation that the code already knows: `python -m docs.generate`.

A page holds its generated parts between `<!-- begin NAME -->` and `<!-- end NAME -->`; everything else is written by
hand. `python -m docs.generate --check` says which pages are out of date, and a test does the same.
"""

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, cast

import click

from docs import _server
from docs._samples import EXPRESSIONS, NOTES, PATTERNS, REFUSED, STATEMENTS, STEPS
from ruvon.cli._app import cli
from ruvon.cli._default_values import FormDefault, form_defaults, in_words
from ruvon.ir.expr import Budget, ExpressionError, parse
from ruvon.ir.expr import _language as language
from ruvon_dsl.diagnostics import catalogue
from ruvon_dsl.python._fates import AST_FATES, Fate
from ruvon_dsl.yaml import _keys_common as common
from ruvon_dsl.yaml import _keys_header as header
from ruvon_dsl.yaml._keys import Key, Kind, Table
from ruvon_dsl.yaml._keys_flow import BRANCH, FLOW_TABLES, SHORT_TABLES, TASK_KEYS
from ruvon_dsl.yaml._keys_steps import CUSTOM, EFFECT_TABLES

DOCS: Final = Path(__file__).parent
_MARK: Final = re.compile(r"(<!-- begin ([\w-]+) -->\n)(.*?)(<!-- end \2 -->\n)", re.DOTALL)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    names = list(head)
    lines = [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]
    lines += [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def code(text: str) -> str:
    """A text as inline code."""
    return f"`{text}`"


# The Python subset


def python_kinds(samples: Mapping[str, str]) -> str:
    """The fate of every statement, expression or pattern of Python's grammar."""
    rows = (_kind_row(name, sample, AST_FATES[name]) for name, sample in sorted(samples.items()))
    return table(("kind", "example", "fate", "remark"), rows)


def _kind_row(name: str, sample: str, fate: Fate) -> tuple[str, str, str, str]:
    note = NOTES.get(name, "")
    if name in REFUSED:
        return name, code(sample), f"refused, {REFUSED[name]}", note
    match fate.kind:
        case "refused":
            return name, code(sample), f"refused, {fate.code}", f"{fate.message}: {fate.help}"
        case "expression":
            verdict, reason = _expression_fate(sample)
            return name, code(sample), verdict, reason or note
        case "lowered":
            return name, code(sample), "accepted", note
        case "notation":
            return name, code(sample), "accepted", note or "as a part of the kind around it"


def _expression_fate(sample: str) -> tuple[str, str]:
    """What the expression language says about a sample."""
    try:
        parse(sample)
    except ExpressionError as exc:
        found = exc.diagnostics[0]
        return f"refused, {found.code}", f"{found.message}{': ' + found.help if found.help else ''}"
    return "accepted", ""


# YAML keys

_KINDS: Final[Mapping[Kind, str]] = {
    Kind.TEXT: "text",
    Kind.TEXTS: "text or list of texts",
    Kind.NAME: "identifier",
    Kind.BOOL: "`true`, `false`",
    Kind.COUNT: "whole number from 1",
    Kind.DURATION: "duration",
    Kind.MILLISECONDS: "milliseconds",
    Kind.PATH: "path of a function or class",
    Kind.TYPE: "type",
    Kind.VALUE: "value",
    Kind.CONDITION: "bare expression",
    Kind.TARGET: "target",
    Kind.TARGETS: "values by target",
    Kind.VALUES: "values by name",
    Kind.STEPS: "list of steps",
    Kind.STEP: "step",
    Kind.STEP_NAME: "name of a step",
    Kind.EXIT: "name of a step, or list of steps",
    Kind.ROUTES: "list of routes",
    Kind.ELIFS: "list of conditions with steps",
    Kind.HANDLERS: "list of handlers",
    Kind.TASKS: "list of steps, with the task keys",
    Kind.BRANCHES: "branches by label",
    Kind.RULES: "list of rules",
    Kind.RETRY: "retry policy",
    Kind.COMPENSATION: "path, or compensation",
    Kind.CHOICE: "choice",
    Kind.TYPES: "types by name",
    Kind.PATHS: "paths by short name",
    Kind.FREE: "anything",
    Kind.CONSTANTS: "literals by name",
    Kind.TABLE: "mapping",
    Kind.ENTRIES: "list of mappings",
    Kind.NOTHING: "nothing, or `true`",
}


def keys(entries: Iterable[Key]) -> str:
    """A table of keys."""
    return table(("key", "also written", "value", "meaning"), (_key_row(key) for key in entries))


def _key_row(key: Key) -> tuple[str, str, str, str]:
    kind = " or ".join(code(item) for item in key.choices) if key.kind is Kind.CHOICE else _KINDS[key.kind]
    return (
        code(key.name) + (" (required)" if key.required else ""),
        ", ".join(code(item) for item in key.aliases),
        kind + (" or `null`" if key.nullable else ""),
        key.doc,
    )


def _inside(item: Table, name: str) -> tuple[Key, ...]:
    """The keys of the mapping under one key of a table."""
    found = next((key.table for key in item.keys if key.name == name), None)
    return found.keys if found is not None else ()


def step_keys(tables: Mapping[str, Table], prefix: str = "") -> str:
    """A section for each step type: an example, its own keys, and which of the shared groups it takes."""
    return "\n".join(_type_section(f"{prefix}{name}", item) for name, item in tables.items())


_GROUPS: Final = {
    "common keys": common.COMMON_KEYS,
    "call keys": common.CALL_KEYS,
}


def _type_section(name: str, item: Table) -> str:
    shared = {group: [key for key in entries if key in item.keys] for group, entries in _GROUPS.items()}
    whole = {group: found for group, found in shared.items() if len(found) * 2 > len(_GROUPS[group])}
    own = [key for key in item.keys if not any(key in found for found in whole.values())]
    text = f"### {code(name)}\n\n{item.doc}"
    for group, found in whole.items():
        names = {key.name for key in item.keys}
        missing = [key.name for key in _GROUPS[group] if key not in found and key.name not in names]
        but = f", but not {', '.join(code(name) for name in missing)}" if missing else ""
        text += f" Takes the [{group}](#{group.replace(' ', '-')}){but}."
    text += f"\n\n```yaml\n{STEPS[name].strip()}\n```\n"
    return f"{text}\n{keys(own)}" if own else text


# The expression language


def functions() -> str:
    """What may be called by name."""
    rows = (
        ("functions", language.BUILTINS),
        ("value types", language.VALUE_TYPES),
        ("recorded once", language.IMPURE),
        ("notation", language.SPECIAL),
        ("named, uncalled, in `key=`", language.KEY_FUNCTIONS),
    )
    return table(("group", "names"), ((name, ", ".join(code(item) for item in sorted(found))) for name, found in rows))


def methods() -> str:
    """Methods and readable attributes by type."""
    types = sorted({*language.METHODS, *language.DATA_ATTRIBUTES}, key=lambda item: item.__name__)
    rows = (
        (
            code(kind.__name__),
            ", ".join(sorted(language.METHODS.get(kind, ()))),
            ", ".join(sorted(language.DATA_ATTRIBUTES.get(kind, ()))),
        )
        for kind in types
    )
    return table(("type", "methods", "attributes"), rows)


def limits() -> str:
    """Sizes of texts, and the budget of one evaluation."""
    budget = Budget()
    rows = (
        ("characters of one expression", language.MAX_TEXT),
        ("levels of nesting", language.MAX_DEPTH),
        ("nodes of the tree", language.MAX_NODES),
        ("digits of an integer literal", language.MAX_INT_DIGITS),
        ("steps: turns of comprehensions, items that functions go through", budget.steps),
        ("size: characters and items that are built", budget.size),
        ("bits of any one integer", budget.bits),
    )
    return table(("limit", "value"), ((name, f"{value:,}") for name, value in rows))


# Codes and commands


def codes() -> str:
    """Every diagnostic code with its first sentence."""
    return table(
        ("code", "finding", "why"),
        ((code(name), info.title, _sentence(info.explanation)) for name, info in catalogue().items()),
    )


def _sentence(text: str) -> str:
    flat = " ".join(text.split())
    return re.split(r"(?<=[a-z0-9`)\"'][.!?]) (?=[A-Z`])", flat)[0]


def commands() -> str:
    """Every command with its arguments and options."""
    return "\n".join(_command("ruvon", name, item) for name, item in _children(cli))


def _children(group: Any) -> list[tuple[str, click.Command]]:
    return list(cast("click.Group", group).commands.items())


def _command(parent: str, name: str, command: click.Command) -> str:
    path = f"{parent} {name}"
    text = f"## {code(path)}\n\n{_help(command)}\n"
    if isinstance(command, click.Group):
        inside = "\n".join(_command(path, inner, item) for inner, item in _children(command))
        return f"{text}\n{inside}".replace(f"\n## {code(path)[:-1]} ", f"\n### {code(path)[:-1]} ")
    rows = [row for row in (_parameter(item) for item in command.params) if row is not None]
    return f"{text}\n{table(('argument or option', 'meaning'), rows)}" if rows else text


def _help(command: click.Command) -> str:
    """The help text, its example as code."""
    paragraphs = [" ".join(part.split()) for part in (command.help or "").split("\n\n")]
    return "\n\n".join(
        f"    {part.removeprefix('Example: ')}" if part.startswith("Example: ") else part for part in paragraphs
    )


def _parameter(parameter: click.Parameter) -> tuple[str, str] | None:
    if isinstance(parameter, click.Option):
        names = ", ".join(code(item) for item in (*parameter.opts, *parameter.secondary_opts))
        value = "" if parameter.is_flag else f" {_metavar(parameter)}"
        default = f" Default: {code(str(parameter.default))}." if parameter.show_default else ""
        return names + value, f"{parameter.help or ''}{default}"
    return code(parameter.make_metavar(click.Context(click.Command("ruvon")))), ""


def _metavar(option: click.Option) -> str:
    if isinstance(option.type, click.Choice) and option.metavar is None:
        return " or ".join(code(str(item)) for item in option.type.choices)
    return option.metavar or option.type.name.upper()


# Defaults


def defaults() -> str:
    """What the graph holds where a text says nothing, in both forms."""
    rows = [(item.what, _said(item), _shown(item.python), _shown(item.yaml)) for item in form_defaults()]
    return table(("what", "where it is said", "Python", "YAML"), rows)


def _said(item: FormDefault) -> str:
    return ", ".join(map(code, item.said)) + (f" ({item.none})" if item.none else "")


def retries() -> str:
    """What a retry policy holds where it says nothing."""
    return keys(common.RETRY.keys)


def _shown(value: object) -> str:
    return "none" if value is None else code(in_words(value))


SECTIONS: Final[Mapping[str, Callable[[], str]]] = {
    "statements": lambda: python_kinds(STATEMENTS),
    "expressions": lambda: python_kinds(EXPRESSIONS),
    "patterns": lambda: python_kinds(PATTERNS),
    "header": lambda: keys(header.WORKFLOW.keys),
    "file-defaults": lambda: keys(header.DEFAULTS.keys),
    "common": lambda: keys(common.COMMON_KEYS),
    "calls": lambda: keys(common.CALL_KEYS),
    "effect-types": lambda: step_keys(EFFECT_TABLES),
    "flow-types": lambda: step_keys(FLOW_TABLES),
    "short-types": lambda: step_keys(SHORT_TABLES, "- "),
    "custom-type": lambda: keys(CUSTOM.keys[:1]),
    "retry": lambda: keys(common.RETRY.keys),
    "compensation": lambda: keys(common.COMPENSATION.keys),
    "route": lambda: keys(common.ROUTE.keys),
    "elif": lambda: keys(common.ELIF.keys),
    "handler": lambda: keys(common.HANDLER.keys),
    "injection": lambda: keys(common.RULE.keys),
    "branch": lambda: keys(BRANCH.keys),
    "task": lambda: keys(TASK_KEYS),
    "http": lambda: keys(_inside(EFFECT_TABLES["HTTP"], "http_config")),
    "registry": lambda: keys(header.REGISTRY_ENTRY.keys),
    "functions": functions,
    "methods": methods,
    "limits": limits,
    "codes": codes,
    "commands": commands,
    "defaults": defaults,
    "retries": retries,
    "server-operations": lambda: table(("operation", "name", "asks for"), _server.operations()),
    "server-problems": lambda: table(("code", "status", "meaning"), _server.problems()),
    "server-settings": lambda: table(("variable", "default", "meaning"), _server.settings()),
}


def generated(text: str) -> str:
    """A page with its generated parts made anew."""
    return _MARK.sub(lambda found: f"{found[1]}\n{SECTIONS[found[2]]()}\n{found[4]}", text)


def out_of_date() -> list[Path]:
    """Pages whose generated parts differ from what the code says."""
    return [page for page in sorted(DOCS.glob("*.md")) if (text := page.read_text()) != generated(text)]


def main(args: list[str]) -> int:
    """Write the pages, or only say which are out of date."""
    stale = out_of_date()
    for page in stale:
        if "--check" not in args:
            page.write_text(generated(page.read_text()))
        sys.stdout.write(f"{'out of date' if '--check' in args else 'written'}: docs/{page.name}\n")
    return 1 if stale and "--check" in args else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
