"""Findings for machines: JSON, SARIF 2.1.0 and GitHub workflow annotations."""

from collections.abc import Iterable, Mapping
from typing import Final

import orjson

from ruvon.ir import Diagnostic, Severity, Span
from ruvon_dsl.diagnostics._catalogue import catalogue

__all__ = ["finding_tree", "render_github", "render_json", "render_sarif"]

_SARIF_LEVEL: Final[Mapping[Severity, str]] = {item: item.value for item in Severity}
_GITHUB_LEVEL: Final[Mapping[Severity, str]] = {**_SARIF_LEVEL, Severity.NOTE: "notice"}


def finding_tree(item: Diagnostic) -> dict[str, object]:
    """One finding as plain JSON values; positions count from 1 and the end is the first position behind."""
    return {
        "code": item.code,
        "severity": item.severity.value,
        "message": item.message,
        "span": _span(item.span),
        "label": item.label,
        "related": [{"span": _span(related.span), "label": related.label} for related in item.related],
        "reason": item.reason,
        "help": item.help,
        "fix": _fix(item),
    }


def render_json(findings: Iterable[Diagnostic]) -> str:
    """All findings as a JSON array, indented."""
    return orjson.dumps([finding_tree(item) for item in findings], option=orjson.OPT_INDENT_2).decode() + "\n"


def render_sarif(findings: Iterable[Diagnostic]) -> str:
    """All findings as a SARIF 2.1.0 log, which code hosts and editors read."""
    items = list(findings)
    rules = [_rule(code) for code in sorted({item.code for item in items}) if code in catalogue()]
    run = {
        "tool": {"driver": {"name": "ruvon", "rules": rules}},
        "columnKind": "unicodeCodePoints",
        "results": [_sarif_result(item) for item in items],
    }
    log = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}
    return orjson.dumps(log, option=orjson.OPT_INDENT_2).decode() + "\n"


def render_github(findings: Iterable[Diagnostic]) -> str:
    """All findings as workflow commands, which GitHub shows beside the changed lines."""
    return "".join(f"{_github_line(item)}\n" for item in findings)


def _github_line(item: Diagnostic) -> str:
    fields: list[str] = []
    if item.span is not None:
        start, end = item.span.start, item.span.end
        fields += [f"file={_property(item.span.file)}", f"line={start.line}", f"endLine={end.line}"]
        if start.line == end.line:
            fields += [f"col={start.column}", f"endColumn={end.column}"]
    text = "\n".join(part for part in (item.message, item.help) if part)
    fields.append(f"title={_property(item.code)}")
    return f"::{_GITHUB_LEVEL[item.severity]} {','.join(fields)}::{_data(text)}"


def _span(span: Span | None) -> dict[str, object] | None:
    if span is None:
        return None
    return {
        "file": span.file,
        "start": {"line": span.start.line, "column": span.start.column},
        "end": {"line": span.end.line, "column": span.end.column},
    }


def _fix(item: Diagnostic) -> dict[str, object] | None:
    if item.fix is None:
        return None
    return {"title": item.fix.title, "edits": [{"span": _span(e.span), "text": e.text} for e in item.fix.edits]}


def _rule(code: str) -> dict[str, object]:
    info = catalogue()[code]
    return {
        "id": code,
        "shortDescription": {"text": info.title},
        "fullDescription": {"text": info.explanation.strip()},
    }


def _sarif_result(item: Diagnostic) -> dict[str, object]:
    result: dict[str, object] = {
        "ruleId": item.code,
        "level": _SARIF_LEVEL[item.severity],
        "message": {"text": " ".join(part for part in (item.message, item.help) if part)},
    }
    if item.span is not None:
        result["locations"] = [_location(item.span)]
    if item.related:
        result["relatedLocations"] = [
            {**_location(related.span), "message": {"text": related.label}} for related in item.related
        ]
    return result


def _location(span: Span) -> dict[str, object]:
    region = {
        "startLine": span.start.line,
        "startColumn": span.start.column,
        "endLine": span.end.line,
        "endColumn": span.end.column,
    }
    return {"physicalLocation": {"artifactLocation": {"uri": span.file}, "region": region}}


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
