"""Helps of the shared checks in the words of YAML: the linker and the expressions speak to authors of Python.

A finding keeps its code, place and sentence; only what to write instead is said in the form that the file is written in.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from ruvon.ir._diagnostics import Diagnostic

__all__ = ["in_yaml"]

_WORDS: Final[tuple[tuple[str, str], ...]] = (
    (
        r"give the call `into=Model`, .*",
        "give the step `output_model:` (a class), or `includes: [body]`, which gives `{'body': ...}` with the data",
    ),
    (r"assign it first: `(\w+) = (.+)`", r"set it first, in a step of its own: `set: {\1: =\2}`"),
    (
        r"assign it in a step before, or keep it in `state`",
        "give it with `output:` in a step before, or keep it in `state`",
    ),
    (r"assign it before, or import it", "give it with `output:` or `set:` in a step before, or name it under `uses:`"),
    (r"assign it before", "give it with `output:` or `set:` in a step before"),
    (r"assign `(\w+)` before it", r"set `\1` in a step before"),
    (
        r"await it in a statement before and test its result",
        "call it in a step before, and test what its `output:` names",
    ),
    (r"await it in a statement before", "call it in a step before, and read what its `output:` names"),
    (
        r"collect them in a step, or write `\[await .*\]` as a statement of its own",
        "collect them in a step, or in a `for` with `output:`",
    ),
    (r"give the result a name in a statement before it", "give the result a name with `output:` in a step before"),
    (r"give parts of it a name in statements before it", "give parts of it a name with `set:` in steps before"),
    (
        r"what a branch of `gather` sets is only seen outside when it is returned",
        "what a branch sets is only seen outside when it is listed under `outputs:`",
    ),
    (
        r"race waits \(`receive`, `human`, `sleep`\) or child workflows, or put the step into an `async def` branch",
        "race waits (RECEIVE, HUMAN_IN_LOOP, SLEEP) or SUB_WORKFLOW, or give a list: `branches: {label: [...]}`",
    ),
    (
        r'name them: `named\("first", \.\.\.\)`, .*',
        "label them: `branches: {first: [...], second: [...]}`, and test `winner.name == 'first'`",
    ),
    (
        r"let one of them return the value and assign it after the join",
        "let one of them give the value with `output:`, and `set:` the field after the step",
    ),
    (r"say `strict_results=False`", "say `strict_results: false` in the header"),
    (
        r"write `\w+ = await ([\w.]+)\(\.\.\.\)` on a line of its own and use `(\w+)`",
        r"call `\1` in a step of its own with `output: \2`, and use `\2`",
    ),
    (
        r"mark `([\w.]+)` with @pure if it only computes, or with @step \(and `await` it\) if it acts",
        r"mark `\1` with @pure if it only computes, or call it in a step with `output:` if it acts",
    ),
    (
        r"await a step, `sleep` or `receive` on every way through the loop",
        "put a step, a SLEEP or a RECEIVE on every way through the loop",
    ),
    (
        r"return a `(.+?)` on every way, or say that the result may be None",
        r"end every way with `return:` and a `\1`, or write `result_model: \1 | None`",
    ),
)
_PATTERNS: Final = tuple((re.compile(python), yaml) for python, yaml in _WORDS)


def in_yaml(found: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Findings about a YAML file with their helps in its words."""
    return tuple(replace(item, help=_said(item.help)) if item.help else item for item in found)


def _said(text: str) -> str:
    for python, yaml in _PATTERNS:
        said, count = python.subn(yaml, text)
        if count:
            return said
    return text
