"""The `timeout` of a workflow: one meaning in both forms, and no trace in the digest where there is none."""

import textwrap
from dataclasses import replace

import pytest

from ruvon.ir import Definition, ImportRoots, digest, to_tree
from ruvon_dsl import compile_source, require
from tests.support.roundtrip import assert_python, assert_yaml

PYTHON = """
from datetime import timedelta

from ruvon import sleep, workflow
from tests.support.limit_flows import Job


@workflow("Bounded"{0})
async def bounded(state: Job) -> None:
    await sleep(timedelta(hours=1))
"""
YAML = """
workflow_type: Bounded
strict_results: true
automate_next: true
initial_state_model: tests.support.limit_flows.Job
result_model: "None"
{0}
steps:
  - {{name: sleep, type: SLEEP, duration: 1h}}
"""


def _definition(text: str, kind: str) -> Definition:
    result = compile_source(textwrap.dedent(text), kind=kind, roots=ImportRoots({"tests"}))  # type: ignore[arg-type]
    return require(result)[0].definition


@pytest.mark.parametrize(
    ("python", "yaml", "limit_us"),
    [
        ("", "", None),
        (", timeout=None", "timeout: null", None),
        (", timeout=timedelta(minutes=90)", "timeout: 1h30m", 5_400_000_000),
        (", timeout=timedelta(milliseconds=1500)", "timeout: 1.5", 1_500_000),
    ],
)
def test_both_forms_say_how_long_a_run_may_take(python: str, yaml: str, limit_us: int | None) -> None:
    """Equal digests, and either form prints to both."""
    first = _definition(PYTHON.format(python), "python")
    second = _definition(YAML.format(yaml), "yaml")
    assert (first.timeout_us, second.timeout_us) == (limit_us, limit_us)
    assert digest(first) == digest(second)
    assert_python(first, ImportRoots({"tests"}))
    assert_yaml(first, ImportRoots({"tests"}))


def test_a_definition_without_a_timeout_is_written_as_before_there_was_one() -> None:
    """What is stored keeps its digest."""
    definition = _definition(PYTHON.format(""), "python")
    assert "timeout_us" not in to_tree(definition)
    assert digest(definition) != digest(replace(definition, timeout_us=1))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("python", PYTHON.format(", timeout=timedelta(0)")),
        ("python", PYTHON.format(", timeout=30")),
        ("yaml", YAML.format("timeout: 0")),
        ("yaml", YAML.format("timeout: soon")),
    ],
)
def test_a_timeout_that_is_none_is_refused_where_it_stands(kind: str, text: str) -> None:
    """Zero, a bare number in Python, a word."""
    result = compile_source(text, kind=kind, roots=ImportRoots({"tests"}))  # type: ignore[arg-type]
    assert not result.ok
    assert "timeout" in text.splitlines()[result.diagnostics[0].span.start.line - 1]
