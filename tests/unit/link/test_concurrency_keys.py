"""Keys that limits count by: declared, overridden, switched off, and refused where they name nothing."""

from typing import Any

import pytest

from ruvon.ir import ImportRoots, RuvonError
from ruvon.ir._canonical import canonical_json
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


SERVICE = """
from pydantic import BaseModel

from ruvon import http, infer, secret, wasm, workflow


class Doc(BaseModel):
    customer: str = "ann"


@workflow("Mail")
async def mail(state: Doc) -> None:
    await {call}
"""
SERVICES = (
    (
        'http.with_(queue="net", concurrency_key={key})("POST", "https://x.test", json={{"to": state.customer}})',
        "json.to",
    ),
    ('http.with_(queue="net", concurrency_key={key})("GET", "https://x.test")', "url"),
    ('infer.with_(queue="gpu", concurrency_key={key})("m@1", {{"n": 1}})', "model"),
    ('wasm.with_(queue="w", concurrency_key={key})("sha256:0", {{"n": 1}})', "state.customer"),
)
YAML_SERVICE = """
workflow_type: Mail
initial_state_model: tests.support.limited_flows:Order
steps:
  - {{name: ask, type: HTTP, method: POST, url: "https://x.test", json: {{to: "=state.customer"}}, queue: net{options}}}
"""


@pytest.mark.parametrize(("call", "key"), SERVICES)
def test_services_have_keys_too(call: str, key: str) -> None:
    """A field of theirs, an entry of one, or a part of the state."""
    text = SERVICE.format(call=call.format(key=repr(key)))
    (found,) = require(compiled(text, "mail.py"))
    assert key_of(found.definition) == key


def test_without_a_key_a_service_is_written_as_before() -> None:
    """Nothing of the key is in what the digest is made of, so stored definitions keep theirs."""
    call = SERVICES[0][0].format(key="None")
    (found,) = require(compiled(SERVICE.format(call=call), "mail.py"))
    assert b"concurrency_key" not in canonical_json(found.definition)


@pytest.mark.parametrize("key", ["json.to", "state.customer", "url"])
def test_a_service_of_yaml_has_the_key(key: str) -> None:
    """The same key on a HTTP step."""
    (found,) = require(compiled(YAML_SERVICE.format(options=f", concurrency_key: {key}"), "mail.yaml"))
    assert key_of(found.definition) == key


@pytest.mark.parametrize(
    ("key", "message", "help_"),
    [
        ("ulr", "it has no field `ulr`", "did you mean `url`?"),
        ("json.whom", "`json` has no entry `whom`", "its entries are `to`"),
        ("headers", "it has no field `headers`", "begin it with one of"),
    ],
)
def test_a_key_of_a_service_that_names_nothing_is_refused(key: str, message: str, help_: str) -> None:
    """In both forms, with what there is."""
    call, _ = SERVICES[0]
    for text, name in (
        (SERVICE.format(call=call.format(key=repr(key))), "mail.py"),
        (YAML_SERVICE.format(options=f", concurrency_key: {key}"), "mail.yaml"),
    ):
        (finding,) = [item for item in compiled(text, name).diagnostics if item.code == "RV0379"]
        assert message in finding.message
        assert help_ in (finding.help or "")


@pytest.mark.parametrize(
    ("key", "refused"), [("headers.token", True), ("headers", True), ("headers.who", False), ("url", False)]
)
def test_a_secret_is_no_key(key: str, refused: bool) -> None:
    """A key lies in the queue, where anybody who may look at tasks sees it; what stands beside a secret may be one."""
    call = (
        f'http.with_(queue="net", concurrency_key="{key}")'
        '("GET", "https://x.test", headers={"token": secret("T"), "who": state.customer})'
    )
    result = compiled(SERVICE.format(call=call), "mail.py")
    assert ["secret" in item.message for item in result.diagnostics if item.code == "RV0379"] == [True] * refused
