"""`${NAME}` and `${NAME:-default}`, replaced when the file is loaded.

A name is looked up among the file's `parameters`, then in the environment, then among the defaults of `env:`. What is
replaced becomes part of the definition and of its digest, so a variable that looks like a secret is refused: secrets are
fetched at run time by `secret("NAME")`. `$${` stands for `${`.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final, final

from ruvon.ir._diagnostics import Edit, Fix
from ruvon_dsl.yaml import _codes as codes
from ruvon_dsl.yaml._findings import Findings
from ruvon_dsl.yaml._values import Entry, MappingNode, ScalarNode, SequenceNode, YamlNode

__all__ = ["Substitution"]

_VARIABLE: Final = re.compile(r"\$(\$)?\{([A-Za-z_][\w.]*)(?::-((?:[^{}]|\{[^{}]*\})*))?\}")
_SECRET: Final = re.compile(
    r"(?:^|_)(?:SECRETS?|TOKENS?|PASSWORDS?|PASSWD|PASS|PWD|CREDENTIALS?|API_?KEYS?|PRIVATE_?KEYS?|ACCESS_?KEYS?|"
    r"ENCRYPTION_?KEYS?|SIGNING_?KEYS?|AUTH_?KEYS?|KEY|DSN)(?:_|$)",
    re.IGNORECASE,
)
_MAX_GROWTH: Final = 1_000_000
"""Characters that variables may bring into one file."""


@final
class Substitution:
    """Replaces the variables of one document.

    Args:
        environment: The environment variables.
        parameters: The constants of the file's `parameters:`.
        defaults: The variables of the file's `env:`; None where one has no default.
        found: Where findings go.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        parameters: Mapping[str, object],
        defaults: Mapping[str, str | None],
        found: Findings,
    ) -> None:
        self._environment = environment
        self._parameters = parameters
        self._defaults = defaults
        self._found = found
        self._done: dict[int, YamlNode] = {}
        self._grown = 0

    def apply(self, node: YamlNode) -> YamlNode:
        """The node with every variable replaced; nodes that hold none stay the same objects."""
        known = self._done.get(id(node))
        if known is None:
            known = self._done[id(node)] = self._applied(node)
        return known

    def _applied(self, node: YamlNode) -> YamlNode:
        match node:
            case ScalarNode():
                return self._scalar(node) if "${" in node.text else node
            case SequenceNode():
                items = tuple(self.apply(item) for item in node.items)
                return node if all(map(_same, items, node.items)) else replace(node, items=items)
            case MappingNode():
                values = [self.apply(entry.value) for entry in node.entries]
                if all(value is entry.value for value, entry in zip(values, node.entries, strict=True)):
                    return node
                entries = tuple(Entry(entry.key, value) for entry, value in zip(node.entries, values, strict=True))
                return replace(node, entries=entries)

    def _scalar(self, node: ScalarNode) -> ScalarNode:
        text = _VARIABLE.sub(lambda match: self._one(node, match), node.text)
        return ScalarNode(text, node.plain, node.span)

    def _one(self, node: ScalarNode, match: re.Match[str]) -> str:
        escaped, name, default = match.groups()
        if escaped:
            return match.group()[1:]
        value = self._value(node, match, name, default)
        self._grown += len(value)
        if self._grown > _MAX_GROWTH:
            message = f"the variables of the file bring in more than {_MAX_GROWTH:,} characters"
            self._found.error(codes.TOO_LARGE, message, node.span, "shorten them")
            return ""
        return value

    def _value(self, node: ScalarNode, match: re.Match[str], name: str, default: str | None) -> str:
        plain = name.removeprefix("parameters.")
        if plain in self._parameters:
            return _text(self._parameters[plain])
        if _SECRET.search(name):
            self._secret(node, match, name)
            return ""
        value = self._environment.get(name)
        if value is None or (value == "" and default is not None):
            value = default if default is not None else self._defaults.get(name, value)
        if value is None:
            help_ = f"set it, or write a default: `${{{name}:-value}}`"
            message = f"the variable `{name}` is not set and has no default"
            self._found.error(codes.UNSET_VARIABLE, message, node.at(match.start(), match.end()), help_)
            return ""
        return value

    def _secret(self, node: ScalarNode, match: re.Match[str], name: str) -> None:
        whole = match.span() == (0, len(node.text))
        rewrite = f'=secret("{name}")' if whole else f'{{{{ secret("{name}") }}}}'
        span = node.span if whole else node.at(*match.span())
        quoted = f"'{rewrite}'" if whole else rewrite
        self._found.error(
            codes.SECRET_VARIABLE,
            f"`{name}` looks like a secret, and its value would be stored in the definition",
            span,
            f"write `{rewrite}`; it is fetched when the step runs",
            reason="definitions are kept, shown and sent to devices; whoever reads one would read the secret",
            fix=Fix(f'fetch it at run time with secret("{name}")', (Edit(span, quoted),)),
        )


def _same(left: object, right: object) -> bool:
    return left is right


def _text(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case None:
            return "null"
        case _:
            return str(value)
