"""Keys that limits count by: declared, overridden, switched off, and refused where they name nothing."""

from typing import Any

import pytest

from ruvon.ir import ImportRoots, RuvonError
from ruvon.ir._nodes import Call, Definition
from ruvon_dsl import compile_source, require

PYTHON = """
from pydantic import BaseModel

from ruvon import step, workflow


class Doc(BaseModel):
    customer: str = "ann"


@step(queue="mail", concurrency_key={declared})
async def remind(customer: str, text: str = "") -> None: ...


@workflow("Mail")
async def mail(state: Doc) -> None:
    await remind{options}(state.customer)
"""
YAML = """
workflow_type: Mail
initial_state_model: tests.support.limited_flows:Order
steps:
  - {{name: Remind, type: ASYNC, function: "tests.support.limited_flows:count", inputs: {{number: 7}}{options}}}
"""


def key_of(definition: Definition) -> str | None:
    """The key of the only call."""
    (found,) = [node.action for node in definition.graph.nodes.values() if isinstance(node.action, Call)]
    return found.concurrency_key


def compiled(text: str, name: str) -> Any:
    """What a text compiles to."""
    return compile_source(
        text, kind="yaml" if name.endswith(".yaml") else "python", file=name, roots=ImportRoots(["tests"])
    )


@pytest.mark.parametrize(
    ("declared", "options", "key"),
    [
        ('"customer"', "", "customer"),
        ("None", "", None),
        ('"customer"', ".with_(concurrency_key=None)", None),
        ("None", '.with_(concurrency_key="state.customer")', "state.customer"),
        ('"text"', "", "text"),
    ],
)
def test_a_key_is_declared_or_given_at_the_call(declared: str, options: str, key: str | None) -> None:
    """The call's own wins; a parameter that the call leaves out is no mistake."""
    (found,) = require(compiled(PYTHON.format(declared=declared, options=options), "mail.py"))
    assert key_of(found.definition) == key


@pytest.mark.parametrize(
    ("options", "key"),
    [("", "number"), (", concurrency_key: null", None), (", concurrency_key: state.customer", "state.customer")],
)
def test_yaml_says_the_same(options: str, key: str | None) -> None:
    """The declaration's, off, or another one."""
    (found,) = require(compiled(YAML.format(options=options), "mail.yaml"))
    assert key_of(found.definition) == key


@pytest.mark.parametrize(
    ("key", "help_"),
    [("custmer", "did you mean `customer`?"), ("x", "begin it with one of"), ("a b", "write the name"), ("", "write")],
)
def test_a_key_that_names_nothing_is_refused(key: str, help_: str) -> None:
    """Before anything runs, with what to write."""
    result = compiled(PYTHON.format(declared=repr(key), options=""), "mail.py")
    (finding,) = [item for item in result.diagnostics if item.code == "RV0379"]
    assert help_ in (finding.help or "")
    with pytest.raises(RuvonError):
        require(result)


def test_a_key_of_yaml_that_names_nothing_is_refused() -> None:
    """The same finding."""
    result = compiled(YAML.format(options=", concurrency_key: nmber"), "mail.yaml")
    assert [item.code for item in result.diagnostics] == ["RV0379"]


def test_a_declaration_without_a_text_is_refused() -> None:
    """Where it is written."""
    from ruvon import step

    with pytest.raises(TypeError, match="give the name of an argument"):

        @step(concurrency_key=5)  # type: ignore[call-overload]  # what is refused
        def _wrong(n: int) -> int:
            return n
