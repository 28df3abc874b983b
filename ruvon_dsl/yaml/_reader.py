"""From YAML text to our tree, through PyYAML's C parser, with every bound that a hostile file could break.

Only events are taken from PyYAML: it constructs no object, so a tag such as `!!python/object` is a word that is refused,
never a call. Bounds are counted while the events arrive, so a bomb is refused at the event that crosses a bound and not
after it was built: aliases are shared nodes, and what they would expand to is summed up from sizes.
"""

import re
from collections.abc import Iterator
from typing import Any, Final, NoReturn, final

import yaml

from ruvon.ir._diagnostics import Diagnostic, Edit, Fix, Related
from ruvon.ir._spans import Position, Span
from ruvon_dsl._draft import SourceText
from ruvon_dsl.yaml import _codes as codes
from ruvon_dsl.yaml._values import Entry, MappingNode, ScalarNode, SequenceNode, YamlNode

__all__ = ["MAX_ALIASES", "MAX_CHARACTERS", "MAX_DEPTH", "MAX_NODES", "read"]

MAX_CHARACTERS: Final = 1_000_000
"""Characters of one file."""
MAX_DEPTH: Final = 64
"""Levels of lists and mappings inside each other."""
MAX_NODES: Final = 50_000
"""Scalars, lists and mappings of one file, aliases counted as what they stand for."""
MAX_ALIASES: Final = 500
"""Uses of an anchor (`*name`) in one file."""

_BREAK: Final = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""What ends a line for YAML; marks count lines by it."""
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read(source: SourceText) -> tuple[list[YamlNode], list[Diagnostic]]:
    """Read all documents of a text.

    Returns:
        The documents that were read and the findings; a text that breaks a bound or is no YAML gives no documents
        behind the place where that was seen.
    """
    reader = _Reader(source)
    documents: list[YamlNode] = []
    try:
        documents.extend(reader.documents())
    except _RefusedError as refused:
        reader.found.append(refused.finding)
    except yaml.YAMLError as error:
        reader.found.append(_syntax_finding(source, error))
    except UnicodeError:
        reader.found.append(_finding(codes.SYNTAX, "the text holds half of a surrogate pair", _start(source)))
    return documents, reader.found


class _RefusedError(Exception):
    """Stops the reading; carries the finding that says why."""

    def __init__(self, finding: Diagnostic) -> None:
        self.finding = finding
        super().__init__(finding.message)


@final
class _Reader:
    """One pass over the events of one text."""

    def __init__(self, source: SourceText) -> None:
        self.found: list[Diagnostic] = []
        self._source = source
        self._lines: list[str] = []
        self._anchors: dict[str, tuple[YamlNode, int]] = {}
        self._aliases = 0
        self._total = 0
        self._events: Iterator[Any] = iter(())

    def documents(self) -> Iterator[YamlNode]:
        """The documents, one by one."""
        if len(self._source.text) > MAX_CHARACTERS:
            size = f"{len(self._source.text):,} characters, more than the {MAX_CHARACTERS:,} that are allowed"
            self._refuse(codes.TOO_LARGE, f"the file has {size}", _start(self._source), "split it into several files")
        self._lines = _BREAK.split(self._source.text)
        self._events = iter(yaml.parse(self._source.text, Loader=_LOADER))
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                self._anchors = {}
                node, _ = self._node(next(self._events), 0)
                yield node

    def _node(self, event: Any, depth: int) -> tuple[YamlNode, int]:
        """The node that begins with `event`, and how many nodes it stands for."""
        span = self._span(event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, span)
        self._count(1, span)
        if event.tag is not None:
            self._refuse_tag(event, span)
        if isinstance(event, yaml.ScalarEvent):
            made: tuple[YamlNode, int] = (self._scalar(event, span), 1)
        elif depth >= MAX_DEPTH:
            message = f"lists and mappings are nested more than {MAX_DEPTH} levels deep"
            self._refuse(codes.TOO_DEEP, message, span, "move the inner steps into a sub-workflow")
        elif isinstance(event, yaml.SequenceStartEvent):
            made = self._sequence(span, depth)
        else:
            made = self._mapping(span, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = made
        return made

    def _alias(self, event: Any, span: Span) -> tuple[YamlNode, int]:
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            self._refuse(
                codes.TOO_LARGE, f"the file uses more than {MAX_ALIASES} aliases", span, "write the values out"
            )
        target = self._anchors.get(event.anchor)
        if target is None:
            message = f"`*{event.anchor}` stands for no anchor before it"
            self._refuse(codes.BAD_ALIAS, message, span, f"write `&{event.anchor}` at the first use, outside of itself")
        self._count(target[1], span)
        return target

    def _count(self, amount: int, span: Span) -> None:
        self._total += amount
        if self._total > MAX_NODES:
            message = f"the file stands for more than {MAX_NODES:,} values, aliases expanded"
            self._refuse(codes.TOO_LARGE, message, span, "use fewer aliases, or split the file")

    def _scalar(self, event: Any, span: Span) -> ScalarNode:
        plain = event.style in {None, ""}
        return ScalarNode(event.value, plain, _trimmed(span, event.value, event.style), self._source_lines(span))

    def _source_lines(self, span: Span) -> tuple[str, ...]:
        """The lines of a span.

        No more than the span: a slice to the end of a long line, for each of its scalars, would take space that grows
        with the square of the line.
        """
        lines = self._lines[span.start.line - 1 : span.end.line]
        if not lines:
            return ()
        start, end = span.start.column - 1, span.end.column - 1
        if len(lines) == 1:
            return (lines[0][start:end],)
        return (lines[0][start:], *lines[1:-1], *((lines[-1],) if end else ()))

    def _sequence(self, span: Span, depth: int) -> tuple[SequenceNode, int]:
        items: list[YamlNode] = []
        size = 1
        for event in self._events:
            if isinstance(event, yaml.SequenceEndEvent):
                return SequenceNode(tuple(items), self._through(span, event)), size
            node, inner = self._node(event, depth + 1)
            items.append(node)
            size += inner
        raise AssertionError("the parser ended inside a list")

    def _mapping(self, span: Span, depth: int) -> tuple[MappingNode, int]:
        entries: dict[str, Entry] = {}
        size = 1
        for event in self._events:
            if isinstance(event, yaml.MappingEndEvent):
                return MappingNode(tuple(entries.values()), self._through(span, event)), size
            key, key_size = self._node(event, depth + 1)
            value, value_size = self._node(next(self._events), depth + 1)
            size += key_size + value_size
            self._add(entries, key, value)
        raise AssertionError("the parser ended inside a mapping")

    def _add(self, entries: dict[str, Entry], key: YamlNode, value: YamlNode) -> None:
        if not isinstance(key, ScalarNode):
            written = self._braces(key.span)
            if written is not None:
                rest = self._lines[key.span.end.line - 1][key.span.end.column :].strip()
                self.found.append(_unquoted(written, key.span, alone=not rest or rest[0] in "},]#"))
                return
            message = "a key is a text, not a list or a mapping"
            self.found.append(_finding(codes.BAD_KEY, message, key.span, "write the key as a text"))
            return
        if key.text == "<<" and key.plain:
            message = "merge keys (`<<`) are not part of YAML 1.2"
            self.found.append(
                _finding(codes.MERGE_KEY, message, key.span, "write the keys out, or share them under `defaults:`")
            )
            return
        if key.text in entries:
            related = (Related(entries[key.text].key.span, "first given here"),)
            message = f"the key `{key.text}` is given twice"
            self.found.append(
                Diagnostic(
                    code=codes.DUPLICATE_KEY,
                    message=message,
                    span=key.span,
                    related=related,
                    reason="the second value would silently replace the first",
                    help="keep one of them",
                )
            )
            return
        entries[key.text] = Entry(key, value)

    def _braces(self, span: Span) -> str | None:
        """The text between the `{{` and `}}` around a span of one line; None where there are none."""
        line = self._lines[span.start.line - 1]
        first, last = span.start.column - 2, span.end.column
        if span.start.line != span.end.line or first < 0 or not line[first:].startswith("{{"):
            return None
        return line[first + 2 : last - 2].strip() if line[last - 2 : last] == "}}" else None

    def _refuse_tag(self, event: Any, span: Span) -> NoReturn:
        word = str(event.tag)
        if word.startswith("!") and _NEGATED.match(word):
            message = f"`{word}` is a tag in YAML, and tags are refused"
            self._refuse(codes.TAG, message, span, f"write `not {word[1:]}`, or quote the text")
        shown = event.tag.replace("tag:yaml.org,2002:", "!!")
        message = f"the tag `{shown}` is refused: a definition names no classes of the reader"
        self._refuse(codes.TAG, message, span, "delete the tag; quote a text that looks like a number")

    def _refuse(self, code: str, message: str, span: Span, help_: str) -> NoReturn:
        raise _RefusedError(_finding(code, message, span, help_))

    @staticmethod
    def _through(span: Span, event: Any) -> Span:
        """The span from where a collection begins to where it ends."""
        end = event.end_mark
        return Span(span.file, span.start, Position(end.line + 1, end.column + 1))

    def _span(self, event: Any) -> Span:
        start, end = event.start_mark, event.end_mark
        first = Position(start.line + 1, start.column + 1)
        return Span(self._source.file, first, Position(end.line + 1, end.column + 1))


def _trimmed(span: Span, text: str, style: str | None) -> Span:
    """The span of a scalar; an empty one still covers a character, so that carets have something to stand under."""
    if style in {None, ""} and not text:
        return Span.at(span.file, span.start.line, span.start.column)
    return span


def _unquoted(written: str, inner: Span, *, alone: bool) -> Diagnostic:
    """The finding about `{{ x }}` without quotes, which YAML reads as a mapping in a mapping; `alone` on its line."""
    start, end = inner.start, inner.end
    whole = Span(inner.file, Position(start.line, start.column - 1), Position(end.line, end.column + 1))
    return Diagnostic(
        code=codes.BAD_KEY,
        message=f"`{{{{ {written} }}}}` is not quoted, and YAML reads it as a mapping",
        span=whole,
        help=f'write `={written}`, or quote it: `"{{{{ {written} }}}}"`',
        fix=Fix(f"write `={written}`", (Edit(whole, f"={written}"),)) if alone and _SIMPLE.fullmatch(written) else None,
    )


_NEGATED: Final = re.compile(r"!\(?[A-Za-z_]\w*\.\w")
"""What looks like a negated name, not like a tag of YAML or of another tool."""
_SIMPLE: Final = re.compile(r"[\w.()\[\]]+")
"""What needs no quotes in YAML once the braces are gone."""


def _finding(code: str, message: str, span: Span, help_: str = "") -> Diagnostic:
    return Diagnostic(code=code, message=message, span=span, help=help_)


def _start(source: SourceText) -> Span:
    return Span.at(source.file, 1, 1)


def _around(source: SourceText, mark: Any) -> list[str]:
    """The line where the parser gave up, and the one before it."""
    return _BREAK.split(source.text)[max(mark.line - 1, 0) : mark.line + 1] if mark is not None else []


_OPENED: Final = re.compile(r"[:\-,\[]\s+\{\{[^}]*\}\}\s*[^\s},\]#]")
"""A value that begins with `{{ }}` and goes on."""


def _syntax_finding(source: SourceText, error: yaml.YAMLError) -> Diagnostic:
    mark: Any = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = str(getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read")
    span = Span.at(source.file, mark.line + 1, mark.column + 1) if mark is not None else _start(source)
    advice = "the cause is often a line before: close every bracket and quote, and check the indent"
    if any(_OPENED.search(line) for line in _around(source, mark)):
        advice = 'quote a text that begins with `{{`: `"{{ state.name }} and more"`'
    elif "tab" in problem or "cannot start any token" in problem:
        advice = "indent with spaces, and quote texts that begin with a sign such as @, ` or %"
    elif "mapping values are not allowed" in problem:
        advice = "quote a text that holds `: `, and check the indent"
    return _finding(codes.SYNTAX, f"the text is not YAML: {problem}", span, advice)
