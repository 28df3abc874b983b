"""Every documented field of the step types that ask something outside, in both forms, and what is said about wrong ones."""

import pytest

from ruvon.ir._canonical import canonical_json
from ruvon.ir._diagnostics import Severity
from ruvon.ir._nodes import Call, Decision, Definition
from ruvon.ir._paths import ImportRoots
from ruvon.ir.expr import parse
from ruvon_dsl import CompiledWorkflow, compile_source, to_python, to_yaml
from ruvon_dsl._link import CONFIG_TYPES
from ruvon_dsl.yaml._steps import STEP_TABLES
from tests.unit.yaml_front_end.surroundings import STEPS, lower

names = pytest.mark.parametrize
HEAD = (
    "workflow_type: Flow\nworkflow_version: '1'\nmodule: yaml_shop\ninitial_state_model: Order\n"
    "automate_next: true\nstrict_results: true\nresult_model: 'None'\nsteps:\n"
)
PYTHON = """
from datetime import timedelta
from ruvon import Retry, http, infer, wasm, workflow
from yaml_shop import Order, Verdict

@workflow("Flow", version="1")
async def flow(state: Order) -> None:
"""

HTTP = """
  - type: HTTP
    http_config:
      method: post
      url: https://shop.test/orders
      headers: {accept: application/json}
      query_params: {page: 2}
      body: plain
      expected_status: [404, 409]
      includes: [status_code, body]
      max_bytes: 100000
      timeout: 5
      retry_policy: {max_attempts: 5, delay: 2, backoff: 3}
      output_key: answer
"""
HTTP_PYTHON = """
    answer = await http(
        "POST", "https://shop.test/orders", headers={"accept": "application/json"}, query={"page": 2}, body="plain",
        expect=(404, 409), includes=("status", "body"), max_bytes=100000, timeout=timedelta(seconds=5),
        retry=Retry(max_attempts=5, delay=timedelta(seconds=2), backoff=3.0),
    )
"""
INFER = """
  - type: AI_INFERENCE
    model_name: fraud
    model_version: 2.0.0
    model_path: models/fraud.onnx
    runtime: ONNX
    input_source: items
    preprocessing: normalize
    preprocessing_params: {mean: 0.5}
    postprocessing: softmax
    postprocessing_params: {axis: 1}
    threshold: 0.8
    threshold_key: score
    fallback_on_error: default
    default_result: {approved: false}
    output_model: Verdict
    output_key: verdict
    timeout_ms: 1500
    max_tokens: 64
    paging_strategy: shard
    max_resident_shards: 2
    prefetch_shards: 1
    shard_urls: [https://a.test/1, https://a.test/2]
    shard_size_mb: 120
    logic_gate_threshold: 0.9
"""
INFER_PYTHON = """
    verdict = await infer(
        "fraud", state.items, model_version="2.0.0", model_path="models/fraud.onnx", runtime="onnx",
        preprocessing="normalize", preprocessing_params={"mean": 0.5}, postprocessing="softmax",
        postprocessing_params={"axis": 1}, threshold=0.8, threshold_key="score", fallback_on_error="default",
        default=Verdict(approved=False), into=Verdict, timeout=timedelta(milliseconds=1500), max_tokens=64,
        paging_strategy="shard", max_resident_shards=2, prefetch_shards=1,
        shard_urls=["https://a.test/1", "https://a.test/2"], shard_size_mb=120, logic_gate_threshold=0.9,
    )
"""
WASM = """
  - type: WASM
    wasm_hash: "sha256:0"
    entrypoint: score
    state_mapping: {total: amount, lines: items}
    timeout_ms: 1500
    fallback_on_error: skip
    output_model: Verdict
    output_key: verdict
"""
WASM_PYTHON = """
    verdict = await wasm(
        "sha256:0", entry="score", state_mapping={"total": "amount", "lines": "items"},
        timeout=timedelta(milliseconds=1500), fallback_on_error="skip", into=Verdict,
    )
"""
FORMS = {"HTTP": (HTTP, HTTP_PYTHON), "AI_INFERENCE": (INFER, INFER_PYTHON), "WASM": (WASM, WASM_PYTHON)}


def compiled(text: str, kind: str) -> CompiledWorkflow:
    """One workflow without errors."""
    roots = ImportRoots(folders=[STEPS])
    result = compile_source(text, kind="python" if kind == "python" else "yaml", roots=roots)
    assert [item.message for item in result.diagnostics if item.severity is Severity.ERROR] == []
    (made,) = result.definitions
    return made


def only(definition: Definition) -> Call:
    """The CALL at the entry."""
    action = definition.graph.nodes[definition.graph.entry].action
    assert isinstance(action, Call)
    return action


def said(steps: str) -> list[tuple[str, str]]:
    """Codes and messages of the errors about some steps."""
    roots = ImportRoots(folders=[STEPS])
    found = compile_source(HEAD + steps, kind="yaml", roots=roots).diagnostics
    return [(item.code, item.message) for item in found if item.severity is Severity.ERROR]


@names("kind", FORMS)
def test_documented_fields_have_both_forms(kind: str) -> None:
    """Every documented field of the type gives the same definition from YAML and from Python (S2-075)."""
    yaml, python = FORMS[kind]
    one, other = compiled(HEAD + yaml, "yaml"), compiled(PYTHON + python, "python")

    assert canonical_json(one.definition) == canonical_json(other.definition)
    assert one.digest == other.digest is not None


@names("kind", FORMS)
def test_documented_fields_are_printed(kind: str) -> None:
    """Both printers write what they read."""
    made = compiled(HEAD + FORMS[kind][0], "yaml")

    assert compiled(to_yaml(made.definition), "yaml").digest == made.digest
    assert compiled(to_python(made.definition), "python").digest == made.digest


@names("kind", CONFIG_TYPES)
def test_every_field_of_the_graph_is_a_key(kind: str) -> None:
    """What Python can say about a type, YAML can."""
    assert set(CONFIG_TYPES[kind]) <= {key.name for key in STEP_TABLES[kind].keys}


def test_state_of_an_input_source() -> None:
    """`input_source` names a field of the state, or is an expression."""
    for written, meant in (
        ("items", "state.items"),
        ("state.items", "state.items"),
        ("=state.items[0]", "state.items[0]"),
        ("items[1:]", None),
    ):
        steps = f"  - {{type: AI_INFERENCE, model: m, input_source: '{written}'}}\n"
        if meant is None:
            assert said(steps)
        else:
            assert only(compiled(HEAD + steps, "yaml").definition).config["data"] == parse(meant)


@names(("key", "meant"), [("risk", "state.risk"), ("answer", "answer")])
def test_output_key_is_a_field_of_the_state(key: str, meant: str) -> None:
    """`output_key` names a field of the state, as documented, and a variable where the state has none of that name."""
    (draft,) = lower(f"{HEAD}  - {{type: WASM, module: m, output_key: {key}}}\n")

    assert only(draft.definition).output == parse(meant)


def test_input_is_said_once() -> None:
    """`data` and `input_source` stand for the same."""
    assert [code for code, _ in said("  - {type: AI_INFERENCE, model: m, data: {}, input_source: items}\n")] == [
        "RV0821"
    ]


def test_results_follow_the_fields() -> None:
    """`includes` makes the result a dict, and `skip` makes it one that may be None."""
    parts = "  - {type: HTTP, url: 'https://a.test', includes: body, output: state.amount}\n"
    skipping = (
        "  - {type: WASM, module: m, fallback_on_error: skip, output_model: Verdict, output: v}\n"
        "  - if: v.approved\n    then: []\n"
    )

    assert "dict[str, Any]" in said(parts)[0][1]
    assert [code for code, _ in said(skipping)] == ["RV0502"]


@names(
    ("step", "code"),
    [
        ("type: AI_INFERENCE, model: m, runtime: torch", "RV0812"),
        ("type: AI_INFERENCE, model: m, fallback_on_error: panic", "RV0812"),
        ("type: AI_INFERENCE, model: m, threshold: high", "RV0368"),
        ("type: HTTP, url: 'https://a.test', includes: [status, cookies]", "RV0812"),
        ("type: HTTP, url: 'https://a.test', max_bytes: many", "RV0368"),
        ("type: WASM, module: m, state_mapping: {amount: 3}", "RV0368"),
        ("type: WASM, module: m, paging_strategy: none", "RV0810"),
    ],
)
def test_wrong_fields_are_reported(step: str, code: str) -> None:
    """A word that is none of a field's words, or a value of another type, is an error."""
    assert [found for found, _ in said(f"  - {{{step}}}\n")] == [code]


@names("fields", ['runtime="torch"', 'fallback_on_error="panic"', 'threshold="high"', 'paging_strategy="all"'])
def test_python_is_held_to_the_same_words(fields: str) -> None:
    """The linker checks what Python writes, too."""
    body = f'    answer = await infer("m", into=Verdict, {fields})\n'
    found = compile_source(PYTHON + body, roots=ImportRoots(folders=[STEPS])).diagnostics

    assert [item.code for item in found] == ["RV0368"]


def test_default_of_a_module_is_a_result_and_its_route_is_default_route() -> None:
    """Where `default` is the result of a failed call, the decision's way out is `default_route`."""
    (draft,) = lower(
        HEAD
        + "  - {name: A, type: WASM, module: m, default: {}, routes: [{condition: state.vip, next: END}],"
        + " default_route: B}\n  - {name: B, function: check}\n"
    )
    route = draft.definition.graph.nodes["A.route"].action

    assert draft.diagnostics == ()
    assert isinstance(route, Decision)
    assert route.default == "B"
    assert only(draft.definition).config["default"] == parse("{}")


@names(
    ("kind", "instead"),
    [
        ("HUMAN_APPROVAL", "HUMAN_IN_LOOP"),
        ("AUDIT_EMIT", "STANDARD"),
        ("COMPLIANCE_CHECK", "DECISION"),
        ("AI_LLM_INFERENCE", "AI_INFERENCE"),
        ("EDGE_MODEL_CALL", "AI_INFERENCE"),
        ("WORKFLOW_BUILDER_META", "metadata"),
    ],
)
def test_types_that_are_no_types_here(kind: str, instead: str) -> None:
    """A type of an earlier implementation gives one finding, which says what to write instead."""
    text = f"{HEAD}  - {{name: A, type: {kind}, title: x, payload: {{}}, model: m}}\n"
    found = compile_source(text, kind="yaml", roots=ImportRoots(folders=[STEPS])).diagnostics

    assert [item.code for item in found] == ["RV0813"]
    assert instead in found[0].help
