"""`validate --portable`: what belongs to one process or machine is found, and nothing else is."""

import pytest

from ruvon.ir import ImportRoots, Severity
from ruvon_dsl import compile_source, require
from ruvon_dsl._portable import portable_findings

HEAD = """\
import threading
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from ruvon import step, workflow

COUNT = 0
SEEN: dict[str, int] = {{}}
LIMIT: Final = 3


class Doc(BaseModel):
    n: int = 0
    names: list[str] = []


def around(seen: object):
    @step
    def inner(state: Doc) -> None:
        print(seen)
    return inner


@step
def act({parameters}) -> None:
{body}


@workflow("W")
async def flow(state: Doc) -> None:
    await act(state)
"""


def codes(body: str, parameters: str = "state: Doc") -> list[str]:
    """The codes for a step with this body."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    text = HEAD.format(body=lines, parameters=parameters)
    compiled = require(compile_source(text, file="example.py", module="example_portable"))
    found = portable_findings(compiled[0].definition, ImportRoots({"example_portable"}).load)
    assert all(item.severity is Severity.WARNING for item in found)
    return [item.code for item in found]


@pytest.mark.parametrize(
    "body",
    [
        "global COUNT\nCOUNT = 1",
        "SEEN['a'] = 1",
        "SEEN['a'] += 1",
        "SEEN.update(a=1)",
        "SEEN.setdefault('a', 1)",
        "del SEEN['a']",
        "Doc.n = 3",
    ],
)
def test_a_changed_module_variable_is_found(body: str) -> None:
    """Assigned, or changed in place."""
    assert codes(body) == ["RV0376"]


@pytest.mark.parametrize("body", ["open('a.txt')", "open('data/a.txt', 'w')", "Path('a.txt').read_text()"])
def test_a_relative_file_is_found(body: str) -> None:
    """Opened, or made a path of."""
    assert codes(body) == ["RV0377"]


def test_a_default_that_cannot_be_stored_is_found() -> None:
    """A lock belongs to one process."""
    assert codes("with lock: pass", "state: Doc, lock: object = threading.Lock()") == ["RV0378"]
    assert codes("with lock: pass", "state: Doc, *, lock: object = threading.Lock()") == ["RV0378"]


@pytest.mark.parametrize(
    "body",
    [
        "state.names.append('a')",
        "state.n = LIMIT + len(SEEN)",
        "SEEN.get('a')",
        "SEEN = {}\nSEEN['a'] = 1",
        "open('/etc/hosts').close()",
        "Path(__file__).with_name('a.txt').exists()",
        "Path('/srv') / 'a.txt'",
        "open(state.names[0])",
        "Path.cwd()",
    ],
)
def test_what_travels_is_left_alone(body: str) -> None:
    """The state, constants, absolute paths and paths that are given."""
    assert codes(body) == []


def test_a_storable_default_is_left_alone() -> None:
    """Numbers, texts, models."""
    assert codes("pass", "state: Doc, n: int = 3, name: str = 'a', doc: Doc = Doc()") == []
