"""Definitions name the public paths of Ruvon's own classes, so that moving a module changes no digest."""

import re
from enum import Enum
from pathlib import Path

import pytest

import ruvon
import ruvon.models
from ruvon.ir import canonical_json
from ruvon.ir._diagnostics import Severity
from ruvon.ir._paths import ImportRoots
from ruvon_dsl import compile_file, compile_source

ROOT = Path(__file__).parents[3]
FILES = sorted(
    file
    for folder in ("tests/programs", "examples")
    for suffix in ("py", "yaml")
    for file in (ROOT / folder).rglob(f"*.{suffix}")
    if suffix == "yaml" or "@workflow" in file.read_text(encoding="utf-8")
)
PRIVATE = re.compile(r"ruvon(?:_dsl)?[\w.]*\._[\w.]*:\w+")
RESULTS = """
from datetime import datetime, timedelta
from uuid import UUID

from pydantic import BaseModel, SecretStr
from ruvon import (
    Elapsed, HttpResponse, Retry, StepContext, TimedOut, Won, first_of, gather, http, human, infer, named, new_id, now,
    RuvonError, receive, sleep, step, workflow,
)


class Note(BaseModel):
    text: str = ""


class Flow(BaseModel):
    name: str = ""
    items: list[Note] = []


@step
async def look(item: Note) -> Note | None:
    return item


@step
async def wrap(answer: HttpResponse) -> Won[Note]:
    raise TimedOut("never")


@workflow("Everything")
async def everything(state: Flow) -> None:
    answer = await http("GET", "https://a.test")
    parts = await http("GET", "https://a.test", includes=("status",))
    batch = await gather(*(look(item) for item in state.items), partial=True)
    first = await first_of(named("note", receive(Note)), named("late", sleep(timedelta(days=1))))
    wrapped = await wrap(answer)
    slept = await sleep(timedelta(seconds=1))
    moment = now()
    key = new_id()
    try:
        note = await human("look", form=Note, timeout=timedelta(days=1))
    except TimedOut:
        pass
    except RuvonError:
        raise
"""


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_programs_name_public_paths(file: Path) -> None:
    """No type text, class or function of a definition lies in a private module of ours."""
    roots = ImportRoots(folders=[ROOT, file.parent])
    for item in compile_file(file, roots=roots, cache=False).definitions:
        assert PRIVATE.findall(canonical_json(item.definition).decode()) == []


def test_errors_and_words_of_ours_are_public() -> None:
    """Every error and enumeration that authors may name in a definition has a public path."""
    named = [getattr(ruvon.models, name) for name in ruvon.models.__all__] + [ruvon.RuvonError, ruvon.DefinitionError]
    kinds = [item for item in named if isinstance(item, type) and issubclass(item, (BaseException, Enum))]

    assert [item for item in kinds if "._" in item.__module__ and item is not ruvon.MergeStrategy] == []


def test_results_of_our_own_classes_are_public() -> None:
    """What waits, races, batches and requests give is named as authors import it."""
    result = compile_source(RESULTS, module="everything_public")
    (made,) = result.definitions
    text = canonical_json(made.definition).decode()

    assert [item.message for item in result.diagnostics if item.severity is Severity.ERROR] == []
    assert PRIVATE.findall(text) == []
    assert len(set(re.findall(r"ruvon[\w.]*:\w+", text))) >= 4
