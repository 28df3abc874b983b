"""Values, conditions and targets of the file as expressions.

A text that begins with `=` or is exactly one `{{ }}` is an expression; a longer text with `{{ }}` is an f-string where
every part is in our grammar, and a template otherwise. Everything else is data: a mapping where a class is expected is a
constructor call of it, and a literal where a value type is expected is the constant of that type.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, final

from ruvon.ir._diagnostics import Edit, Fix
from ruvon.ir.expr import ExpressionError, parse
from ruvon.ir.expr import _nodes as e
from ruvon.ir.expr._canonical import format_string
from ruvon.ir.expr._language import FUNCTION_NAMES
from ruvon.ir.expr._nodes import Expr
from ruvon.ir.expr._walk import is_target, names
from ruvon_dsl._link import Missing, bind_names
from ruvon_dsl.yaml import _codes as codes
from ruvon_dsl.yaml._durations import SPELLINGS
from ruvon_dsl.yaml._expected import Expected, coerce, expected_of
from ruvon_dsl.yaml._findings import Findings
from ruvon_dsl.yaml._lookup import Names
from ruvon_dsl.yaml._slips import corrected, report_slips, slips_of
from ruvon_dsl.yaml._typing import TypeReader, WrittenType
from ruvon_dsl.yaml._values import MappingNode, ScalarNode, SequenceNode, YamlNode, kind_of

__all__ = ["Expressions", "WrittenTarget"]

_OPEN, _CLOSE = "{{", "}}"
_LOOKS_BOUND: Final = re.compile(r"state(\.[A-Za-z_]\w*)+")
_WORD: Final = re.compile(r"[A-Za-z_]\w*")
_MAX_PARTS: Final = 200


@final
@dataclass(frozen=True, slots=True)
class WrittenTarget:
    """What a value is assigned to, and the type that is written beside it."""

    expr: Expr
    declared: WrittenType | None = None


@final
class Expressions:
    """Reads the expressions of one file.

    Args:
        file: The file's name, for spans.
        names: Outside names.
        found: Where findings go.
    """

    def __init__(self, file: str, names: Names, types: TypeReader, found: Findings) -> None:
        self.bound: set[str] = set()
        """Every variable of the file; whether one is set where it is read is the linker's question."""
        self.declared: dict[str, WrittenType] = {}
        """Types of variables."""
        self.read: set[str] = set()
        """Every name that a value or condition of the file reads, templates included."""
        self._file = file
        self._names = names
        self._types = types
        self._found = found

    # --- texts that are expressions -----------------------------------------------------------------------------------

    def bare(self, node: ScalarNode) -> Expr:
        """A condition or list: the whole text is an expression; a leading `=` or `{{ }}` around it is allowed."""
        inner = self._marked(node)
        if inner is not None:
            return inner
        value = node.value
        if isinstance(value, bool) or (value is None and node.text):
            return e.Const(value, node.span)
        if not node.text.strip():
            self._found.error(
                codes.BAD_VALUE, "the expression is empty", node.span, "write one, such as `state.amount > 0`"
            )
            return e.Const(None, node.span)
        return self._expression(node, 0, len(node.text))

    def _marked(self, node: ScalarNode) -> Expr | None:
        """The expression behind `=` or inside a lone `{{ }}`; None for other texts."""
        text = node.text
        if text.startswith("="):
            return self._expression(node, 1, len(text))
        stripped = text.strip()
        if not (stripped.startswith(_OPEN) and stripped.endswith(_CLOSE)):
            return None
        start = text.index(_OPEN) + 2
        end = text.rindex(_CLOSE)
        inner = text[start:end]
        parsed = self._try(node, start, end)
        if parsed is None or slips_of(inner, self.bound):
            return None if _OPEN in inner or _is_jinja(inner) else self._expression(node, start, end)
        return self._template(node) if self._filters(parsed) else self.bind(parsed)

    def _expression(self, node: ScalarNode, start: int, end: int) -> Expr:
        """Parse and bind a stretch of a scalar; findings point into the file."""
        mended = self._foreign(node, start, end)
        if mended is not None:
            return self.bind(mended)
        try:
            expr = self._parse(node, start, end)
        except ExpressionError as error:
            self._found.extend(error.diagnostics)
            return e.Const(None, node.span)
        return self.bind(expr)

    def _foreign(self, node: ScalarNode, start: int, end: int) -> Expr | None:
        """What a stretch means that is written as another language would, once that is reported; None for others."""
        text = node.text[start:end]
        slips = slips_of(text, self.bound)
        if not slips:
            return None
        try:
            meant = parse(corrected(text, slips), file=self._file, lines=node.lines(start, text))
        except ExpressionError:
            return None
        report_slips(node, start, slips, self._found)
        return meant

    def _parse(self, node: ScalarNode, start: int, end: int) -> Expr:
        text = node.text[start:end]
        lead = len(text) - len(text.lstrip(" \n"))
        start, end = start + lead, start + len(text.rstrip(" \n"))
        unfolded = node.unfolded(start, max(start, end))
        try:
            return parse(unfolded, file=self._file, lines=node.lines(start, unfolded))
        except ExpressionError as error:
            plain = node.text[start:end]
            if plain != unfolded:
                with suppress(ExpressionError):  # folded inside a quoted part: read it as YAML gives it
                    return parse(plain, file=self._file, lines=node.lines(start, plain))
            raise error from None

    def _try(self, node: ScalarNode, start: int, end: int) -> Expr | None:
        try:
            return self._parse(node, start, end)
        except ExpressionError:
            return None

    def bind(self, expr: Expr) -> Expr:
        """Replace outside names by what they mean."""
        self.read |= names(expr)
        return self._bound(expr)

    def _bound(self, expr: Expr) -> Expr:
        bound, found = bind_names(expr, bound=self.bound, lookup=None if self._names.opaque else self._names)
        self._found.extend(found)
        return bound

    def _template(self, node: ScalarNode) -> Expr:
        self.read.update(_WORD.findall(node.text))
        return e.Call(e.Name("template", node.span), (e.Const(node.text, node.span),), (), node.span)

    def _filters(self, expr: Expr) -> bool:
        """Whether `a | b` is Jinja's filter: `b` is no value that the file knows."""
        if not (isinstance(expr, e.Binary) and expr.op == "|"):
            return False
        right = expr.right.function if isinstance(expr.right, e.Call) else expr.right
        return (
            isinstance(right, e.Name)
            and right.id not in self.bound
            and (self._names.opaque or self._names(right.id) is Missing)
        )

    # --- values -------------------------------------------------------------------------------------------------------

    def value(self, node: YamlNode, expected: object = Missing) -> Expr:
        """A value; `expected` is the annotation of the place it is for, where one is known."""
        wanted = expected_of(expected)
        match node:
            case ScalarNode():
                return self._scalar(node, wanted)
            case SequenceNode():
                return self._sequence(node, wanted)
            case MappingNode():
                return self._mapping(node, wanted)

    def _scalar(self, node: ScalarNode, wanted: Expected) -> Expr:
        text = node.text
        if text.startswith("=") and len(text) > 1:
            return self._marked(node) or e.Const(None, node.span)
        if _OPEN in text or "{%" in text:
            return self._marked(node) or self._mixed(node)
        made = coerce(node, wanted)
        if made is not None:
            return made
        if wanted.refuses(node):
            self._refused(node, wanted)
        elif node.plain and _LOOKS_BOUND.fullmatch(text):
            self._found.warning(
                codes.TEXT_OR_EXPRESSION,
                f"`{text}` is the text of these characters, not the value of the field",
                node.span,
                f"write `={text}` for the value, or quote the text",
            )
        value = node.value
        return e.Const(value, node.span)

    def _refused(self, node: ScalarNode, wanted: Expected) -> None:
        if wanted.kind is timedelta:
            self._found.error(codes.DURATION, f"{kind_of(node)} is no duration", node.span, f"write {SPELLINGS}")
            return
        is_expression = isinstance(node.value, str) and self._try(node, 0, len(node.text)) is not None
        hint = f"did you mean `={node.text}`?" if is_expression else f"write a {wanted.words}, or `=` and an expression"
        what = f"text `{node.text}`" if isinstance(node.value, str) else kind_of(node)
        self._found.error(
            codes.TEXT_OR_EXPRESSION, f"{what} is given where {wanted.words} is expected", node.span, hint
        )

    def _sequence(self, node: SequenceNode, wanted: Expected) -> Expr:
        items = tuple(self.value(item, wanted.element(index)) for index, item in enumerate(node.items))
        match wanted.container:
            case "tuple":
                return e.Tuple(items, node.span)
            case "set" | "frozenset" if items:
                display = e.Set(items, node.span)
                return (
                    display
                    if wanted.container == "set"
                    else e.Call(e.Name("frozenset", node.span), (display,), (), node.span)
                )
            case "set" | "frozenset":
                return e.Call(e.Name(wanted.container, node.span), (), (), node.span)
            case _:
                return e.List(items, node.span)

    def _mapping(self, node: MappingNode, wanted: Expected) -> Expr:
        fields = wanted.fields
        if wanted.path is not None:
            keywords = tuple(
                e.Keyword(entry.key.text, self.value(entry.value, fields.get(entry.key.text, Missing)))
                for entry in node.entries
            )
            self._check_fields(node, wanted)
            return e.Call(e.Ref(wanted.path, node.span), (), keywords, node.span)
        items = tuple(
            e.DictItem(self._key(entry.key), self.value(entry.value, fields.get(entry.key.text, wanted.value)))
            for entry in node.entries
        )
        return e.Dict(items, node.span)

    def _check_fields(self, node: MappingNode, wanted: Expected) -> None:
        for entry in node.entries:
            if not entry.key.text.isidentifier():
                message = f"`{entry.key.text}` is no field of {wanted.words}"
                self._found.error(codes.BAD_VALUE, message, entry.key.span, "write the names of its fields")

    def _key(self, key: ScalarNode) -> Expr:
        return self._scalar(key, expected_of(Missing)) if key.text.startswith("=") else e.Const(key.value, key.span)

    def values(self, node: MappingNode, expected: Mapping[str, object] | None = None) -> dict[str, Expr]:
        """A mapping from names to values."""
        types = expected or {}
        return {entry.key.text: self.value(entry.value, types.get(entry.key.text, Missing)) for entry in node.entries}

    def _mixed(self, node: ScalarNode) -> Expr:
        """Text with `{{ }}` in it: an f-string, or a template where a part is not in our grammar."""
        parts = self._parts(node)
        if parts is None:
            return self._template(node)
        return format_string([part if isinstance(part, str) else e.FormatPart(part) for part in parts], node.span)

    def _parts(self, node: ScalarNode) -> list[str | Expr] | None:
        text, parts, at = node.text, list[str | Expr](), 0
        if "{%" in text or "{#" in text or text.count(_OPEN) > _MAX_PARTS:
            return None
        while (start := text.find(_OPEN, at)) >= 0:
            end = text.find(_CLOSE, start)
            while end >= 0 and text[end + 2 : end + 3] == "}":
                end += 1
            if end < 0 or _is_jinja(text[start + 2 : end]):
                return None
            expr = self._expression_quietly(node, start + 2, end)
            if expr is None:
                return None
            parts += [text[at:start], expr]
            at = end + 2
        return [*parts, text[at:]]

    def _expression_quietly(self, node: ScalarNode, start: int, end: int) -> Expr | None:
        """The bound expression, or None where it is none of ours or a Jinja filter."""
        parsed = self._try(node, start, end)
        return None if parsed is None or self._filters(parsed) else self.bind(parsed)

    # --- targets ------------------------------------------------------------------------------------------------------

    def target(self, node: YamlNode | None) -> Expr | None:
        """What a result is assigned to; a type written beside it is remembered."""
        if node is None:
            return None
        declared: WrittenType | None = None
        name: YamlNode | None = node
        if isinstance(node, MappingNode):
            entry, kind = node.get("name", "target"), node.get("type")
            name = entry.value if entry is not None else None
            if kind is not None and isinstance(kind.value, ScalarNode):
                declared = self._types.read(kind.value)
            for other in node.entries:
                if other.key.text not in {"name", "target", "type"}:
                    self._found.error(
                        codes.UNKNOWN_KEY,
                        f"an output has no key `{other.key.text}`",
                        other.key.span,
                        "it has `name` and `type`",
                    )
        if not isinstance(name, ScalarNode) or not name.text.strip():
            self._bad_target(node, kind_of(node))
            return None
        return self._target(name, declared)

    def _target(self, node: ScalarNode, declared: WrittenType | None) -> Expr | None:
        parsed = self._try(node, 0, len(node.text))
        if parsed is None or not is_target(parsed) or parsed == e.Name("state"):
            if not self._marked_target(node):
                self._bad_target(node, f"`{node.text}`")
            return None
        self._check_names(node, parsed)
        if declared is not None and isinstance(parsed, e.Name):
            self.declared[parsed.id] = declared
        return self._bound(parsed) if isinstance(parsed, e.Name | e.Tuple) else self.bind(parsed)

    def _marked_target(self, node: ScalarNode) -> bool:
        """Report a target with the `=` of a value before it."""
        inner = self._try(node, 1, len(node.text)) if node.text.startswith("=") else None
        if inner is None or not is_target(inner) or inner == e.Name("state"):
            return False
        word = node.text[1:].strip()
        fix = Fix(f"write `{word}`", (Edit(node.span, word),))
        message = f"`{node.text}` is a value, and here stands the name that a value is bound to"
        self._found.error(codes.BAD_OUTPUT, message, node.span, f"write `{word}` without the `=`", fix=fix)
        return True

    def _check_names(self, node: ScalarNode, target: Expr) -> None:
        """Report variables that an expression could not read, because their name is a function's."""
        match target:
            case e.Name(id=name) if name in FUNCTION_NAMES:
                message = f"`{name}` is a function of the expression language and cannot be a variable"
                help_ = f"give the variable another name, such as `{name}_value`"
                self._found.error(codes.BAD_NAME, message, node.span, help_)
            case e.Tuple(items=items):
                for item in items:
                    self._check_names(node, item)
            case _:
                return

    def _bad_target(self, node: YamlNode, what: str) -> None:
        self._found.error(
            codes.BAD_OUTPUT,
            f"{what} is nothing that a value can be assigned to",
            node.span,
            "write a variable (letters, digits, underscores), `state.field`, or a path below one",
        )

    def type_of_target(self, target: Expr | None, state: object) -> object:
        """The annotation of a target's values: a declared variable's, or a field's of the state's class."""
        match target:
            case e.Name(id=name) if name in self.declared:
                return self.declared[name].annotation
            case e.Attribute(value=e.Name(id="state"), name=name):
                return expected_of(state).fields.get(name, Missing)
            case _:
                return Missing


def _is_jinja(inner: str) -> bool:
    """Whether the inside of `{{ }}` uses Jinja's own notation: white-space control or tests."""
    return inner[:1] in {"-", "+"} or inner[-1:] == "-" or " is defined" in inner
