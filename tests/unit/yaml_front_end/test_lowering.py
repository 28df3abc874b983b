"""Single rules of the lowering that a golden file would hide among others."""

from collections.abc import Mapping

import pytest

from ruvon.ir._diagnostics import Severity
from ruvon.ir._nodes import Call, Decision, Definition, HumanSource, Loop, Parallel, Return, Try, Wait
from ruvon.ir._paths import ImportRoots
from ruvon.ir._spans import Position
from ruvon.ir.expr import _nodes as e
from ruvon_dsl._draft import SourceText
from ruvon_dsl.yaml import is_workflow_text, load_registry, lower_file
from tests.support.golden import GOLDEN
from tests.unit.yaml_front_end.surroundings import STEPS, lower

HEAD = "workflow_type: Example\nmodule: yaml_shop\ninitial_state_model: Order\n"


def definition(steps: str, head: str = HEAD, environment: Mapping[str, str] | None = None) -> Definition:
    """The definition of some steps; errors fail the test."""
    (draft,) = lower(f"{head}steps:\n{steps}", environment=environment)
    assert [item.message for item in draft.diagnostics if item.severity is Severity.ERROR] == []
    return draft.definition


def codes_of(steps: str, head: str = HEAD) -> list[str]:
    """The codes of the findings about some steps."""
    return [item.code for draft in lower(f"{head}steps:\n{steps}") for item in draft.diagnostics]


def call_of(made: Definition, name: str) -> Call:
    """The CALL of a node."""
    action = made.graph.nodes[name].action
    assert isinstance(action, Call)
    return action


def test_a_step_without_type_is_standard() -> None:
    """Name and function are enough (S3-018, S3-064)."""
    made = definition("  - {name: A, function: check}\n")

    assert call_of(made, "A").type == "STANDARD"
    assert made.graph.nodes["A"].automate_next is False


def test_automate_next_of_the_file() -> None:
    """`automate_next` at the top is the default of the steps, a step's own key is stronger (S1-066)."""
    made = definition(
        "  - {name: A, function: check}\n  - {name: B, function: check, automate_next: false}\n",
        HEAD + "automate_next: true\n",
    )

    assert [made.graph.nodes[name].automate_next for name in "AB"] == [True, False]


def test_a_route_node_has_its_steps_value() -> None:
    """The DECISION behind a step goes on by itself exactly where the step does."""
    made = definition(
        "  - {name: A, function: check, automate_next: true, routes: [{condition: state.vip, next: END}]}\n"
    )

    assert made.graph.nodes["A.route"].automate_next is True


def test_names_with_blanks_are_names() -> None:
    """A step may be called anything that is no reserved word."""
    assert "Charge the card" in definition("  - {name: Charge the card, function: check}\n").graph.nodes


def test_derived_names_skip_given_ones() -> None:
    """Given names are collected first, derived ones count on."""
    made = definition("  - function: check\n  - {name: check, function: check}\n  - function: check\n")

    assert set(made.graph.nodes) == {"check", "check_2", "check_3"}


def test_list_order_can_be_changed_in_yaml_alone() -> None:
    """The order of the list is the order of the steps (S3-013, S3-020)."""
    steps = ["  - {name: A, function: check}\n", "  - {name: B, function: pack}\n"]

    assert definition("".join(steps)).graph.entry == "A"
    assert definition("".join(reversed(steps))).graph.entry == "B"


def test_compensation_inherits_and_switches_off() -> None:
    """The decorated function's compensation holds unless a key overrides it; `null` switches it off (S1-067)."""
    made = definition(
        "  - {name: A, function: charge, inputs: {amount: 1}}\n"
        "  - {name: B, function: charge, inputs: {amount: 1}, compensate_function: undo}\n"
        "  - {name: C, function: charge, inputs: {amount: 1}, compensate_function: null}\n"
    )
    found = [call_of(made, name).compensation for name in "ABC"]

    assert [None if item is None else (item.function, item.attempted) for item in found] == [
        ("yaml_shop:refund", True),
        ("yaml_shop:undo", False),
        None,
    ]


def test_unknown_custom_type_gets_a_suggestion() -> None:
    """An unknown type is a finding that names the near one (S1-023)."""
    (draft,) = lower(HEAD + "steps:\n  - {name: A, type: RETRYABEL}\n  - {name: B, type: DECISON}\n")

    assert [(item.code, item.help.startswith("did you mean `DECISION`")) for item in draft.diagnostics] == [
        ("RV0813", False),
        ("RV0813", True),
    ]


@pytest.mark.parametrize(
    ("name", "known"), [("RETRYABLE", True), ("SLEEEP", False), ("HUMAN", False), ("retryable", False)]
)
def test_custom_type_where_nothing_is_imported(name: str, known: bool) -> None:
    """Without imports nobody says what is registered: a name in capitals that resembles no known word is a custom type."""
    text = f"workflow_type: Example\nsteps:\n  - {{name: A, type: {name}}}\n"
    (draft,) = lower_file(SourceText("f.yaml", text), roots=ImportRoots(), environment={}, opaque=True)

    assert [item.code for item in draft.diagnostics] == ([] if known else ["RV0813"])


@pytest.mark.parametrize(("header", "found"), [("module: yaml_shop", []), ("module: yaml_more", ["RV0813"])])
def test_custom_type_without_registry(header: str, found: list[str]) -> None:
    """A file checked by itself knows the custom types whose classes its modules hold, and no others."""
    text = f"workflow_type: Example\n{header}\nsteps:\n  - {{name: A, type: STAMP, ink: red}}\n"
    (draft,) = lower_file(SourceText("f.yaml", text), roots=ImportRoots(folders=[STEPS]), environment={})

    assert [item.code for item in draft.diagnostics] == found
    assert all("register_step_type" in item.help for item in draft.diagnostics)


def test_custom_type_fields_are_config() -> None:
    """Fields of a registered type become constants or expressions of `config` (S1-024, S1-025, S1-035)."""
    made = call_of(
        definition("  - {name: A, type: RETRYABLE, function: check, max_retries: 5, limit: =state.amount}\n"), "A"
    )

    assert (made.type, made.function) == ("RETRYABLE", "yaml_shop:check")
    assert made.config["max_retries"] == e.Const(5)
    assert made.config["limit"] == e.Attribute(e.Name("state"), "amount")


def test_custom_type_refuses_unknown_fields() -> None:
    """A field that the registered type does not have is a finding."""
    assert codes_of("  - {name: A, type: RETRYABLE, function: check, max_retrys: 5}\n") == ["RV0810"]


@pytest.mark.parametrize(("key", "turns"), [("", 1000), ("max_iterations: 7,", 7), ("max_iterations: null,", None)])
def test_while_has_a_bound(key: str, turns: int | None) -> None:
    """A WHILE without `max_iterations` has the documented 1000 in the graph; `null` says none."""
    made = definition(
        f"  - {{name: L, type: LOOP, while_condition: state.vip, {key} loop_body: [{{function: check}}]}}\n"
    )
    loop = made.graph.nodes["L"].action
    assert isinstance(loop, Loop)

    assert loop.max_iterations == turns


def test_truth_values_are_conditions() -> None:
    """`true` under a condition key is the truth value, not a name."""
    made = definition("  - {name: L, type: LOOP, while_condition: true, loop_body: [{function: check}, break]}\n")
    loop = made.graph.nodes["L"].action
    assert isinstance(loop, Loop)

    assert loop.condition == e.Const(True)


def test_end_speaks_of_its_list() -> None:
    """END in a nested list is the end of that list, which joins."""
    made = definition(
        "  - if: state.vip\n    then:\n      - {name: A, function: check, next: END}\n      - {name: B, function: pack}\n"
        "  - {name: C, function: ship}\n"
    )

    assert made.graph.nodes["A"].next == "C"


def test_dotted_and_colon_paths_are_one_path() -> None:
    """`a.b.f`, `a.b:f` and the short name are spellings of one path."""
    made = definition(
        "  - {name: A, function: check}\n  - {name: B, function: yaml_shop.check}\n"
        "  - {name: C, function: 'yaml_shop:check'}\n"
    )

    assert {call_of(made, name).function for name in "ABC"} == {"yaml_shop:check"}


def test_uses_gives_short_names() -> None:
    """`uses:` names what `module:` does not."""
    made = definition("  - {name: A, function: look}\n", "workflow_type: Example\nuses: {look: yaml_shop.check}\n")

    assert call_of(made, "A").function == "yaml_shop:check"


@pytest.mark.parametrize(
    ("steps", "taker"),
    [
        ("{type: HUMAN_IN_LOOP, name: H, form: Verdict, function: ask}", "self"),
        ("{type: HUMAN_IN_LOOP, name: H}", "self"),
        ("{type: HUMAN_IN_LOOP, name: H, function: approve}", "self"),
        ("{type: HUMAN_IN_LOOP, name: H, function: ask}", "next"),
        ("{type: HUMAN_IN_LOOP, name: H, function: plain}", "self"),
        ("{type: HUMAN_IN_LOOP, name: H, function: plain, answer_to: next}", "next"),
        ("{type: HUMAN_IN_LOOP, name: H, function: plain}\n  - {function: approve, input_model: Verdict}", "next"),
        (
            "{type: HUMAN_IN_LOOP, name: H, function: plain, next: T}\n  - {name: T, function: plain, required_input: [a]}",
            "next",
        ),
    ],
)
def test_taker_of_an_answer(steps: str, taker: str) -> None:
    """Who takes a person's answer is decided when the file is compiled (SEMANTICS 8.4)."""
    action = definition(f"  - {steps}\n").graph.nodes["H"].action
    assert isinstance(action, Wait)
    assert isinstance(action.source, HumanSource)

    assert action.source.answer_to == taker
    assert (action.source.ask is None) == (taker == "self")


def test_two_taskless_documents() -> None:
    """Each document of a file is a workflow; the same type and version twice is a finding."""
    text = "workflow_type: A\nsteps: [{return: 1}]\n---\nworkflow_type: A\nsteps: [{return: 1}]\n"
    first, second = lower(text)

    assert [item.code for item in (*first.diagnostics, *second.diagnostics)] == ["RV0816"]


def test_place_inside_an_expression() -> None:
    """A finding in an expression has the column of the wrong name, in plain, quoted and folded text."""
    steps = [
        "  - set: {a: =state.amount + unknown}",
        "  - set: {b: '=state.amount + unknown'}",
        "  - set:",
        "      c: >",
        "        =state.amount",
        "        + unknown",
    ]
    text = "\n".join([f"{HEAD}steps:", *steps, ""])
    (draft,) = lower(text)
    places = [(item.span.start.line, item.span.start.column) for item in draft.diagnostics if item.span]

    assert places == [(5, 30), (6, 31), (10, 11)]


def test_places_of_values_of_nodes() -> None:
    """Every node says where it stands; every expression has a span inside its line."""
    made = definition("  - {name: A, function: charge, inputs: {amount: =state.amount * 2}}\n")
    amount = call_of(made, "A").args["amount"]

    assert made.graph.nodes["A"].display.source is not None
    assert amount.span is not None
    assert (amount.span.start, amount.span.end) == (Position(5, 51), Position(5, 67))


def test_secret_is_refused_and_rewritten() -> None:
    """A variable that looks like a secret is refused with the rewrite (law 7)."""
    (draft,) = lower(
        HEAD + "steps:\n  - {type: HTTP, url: 'https://x', headers: {a: '${STRIPE_API_KEY}'}}\n",
        environment={"STRIPE_API_KEY": "sk-1"},
    )
    (found,) = draft.diagnostics

    assert found.code == "RV0601"
    assert '=secret("STRIPE_API_KEY")' in found.help
    assert "sk-1" not in str(draft.definition)


@pytest.mark.parametrize("name", ["KEYBOARD", "MONKEY", "TOKENIZER_URL", "BYPASS", "PORT"])
def test_harmless_variables_are_no_secrets(name: str) -> None:
    """Words that merely contain the letters of a secret are fine."""
    made = definition(f"  - return: ${{{name}}}\n", environment={name: "5"})
    action = made.graph.nodes["return"].action
    assert isinstance(action, Return)

    assert action.value == e.Const(5)


def test_environment_and_parameters() -> None:
    """Parameters come before the environment, the environment before defaults."""
    head = HEAD + "parameters: {a: 1}\nenv: {c: 3}\n"
    made = definition(
        "  - return: ['${a}', '${b}', '${c}', '${d:-4}', '${b:-5}']\n", head, environment={"a": "x", "b": "2"}
    )
    action = made.graph.nodes["return"].action
    assert isinstance(action, Return)

    assert action.value == e.List(tuple(e.Const(text) for text in ["1", "2", "3", "4", "2"]))


def test_on_error_is_a_try_around_one_step() -> None:
    """`on_error` lowers to a TRY with one handler whose graph is an edge."""
    made = definition("  - {name: A, function: check, on_error: B}\n  - {name: B, function: pack}\n")
    guard = made.graph.nodes["A.try"].action
    assert isinstance(guard, Try)

    assert made.graph.entry == "A.try"
    assert set(guard.body.nodes) == {"A"}
    assert [(handler.classes, handler.graph.entry, dict(handler.graph.nodes)) for handler in guard.handlers] == [
        (("builtins:Exception",), "B", {})
    ]


def test_injection_is_a_decision() -> None:
    """A rule of `dynamic_injection` lowers to a DECISION marked as injected."""
    made = definition(
        "  - name: A\n    function: check\n    dynamic_injection:\n      rules:\n"
        "        - {condition_key: risk, value_match: high, steps_to_insert: [{name: B, function: pack}]}\n"
    )
    rule = made.graph.nodes["A.inject"].action
    assert isinstance(rule, Decision)

    assert rule.injected
    assert (rule.routes[0].target, rule.default) == ("B", "END")


def test_task_output_belongs_to_the_branch() -> None:
    """A task's `output` is bound outside its branch, at the join."""
    made = definition(
        "  - {name: P, type: PARALLEL, tasks: [{name: T, function: quote, inputs: {items: =state.items}, output: x}]}\n"
    )
    parallel = made.graph.nodes["P"].action
    assert isinstance(parallel, Parallel)
    (branch,) = parallel.branches
    inner = branch.graph.nodes["T"].action
    assert isinstance(inner, Call)

    assert (branch.label, branch.output, inner.output) == ("T", e.Name("x"), None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("workflow_type: A\nsteps: []\n", True),
        ("# a comment\n\nsteps:\n  - a\n", True),
        ("workflows:\n  - {type: A, config_file: a.yaml, workflow_type: x}\n", False),
        ("a: 1\n", False),
        ("", False),
    ],
)
def test_workflow_text_is_recognised(text: str, expected: bool) -> None:
    """A workflow file is told from a registry and other YAML by its header."""
    assert is_workflow_text(text) is expected


def test_every_golden_file_is_recognised() -> None:
    """The golden workflow files are workflow texts."""
    files = sorted((GOLDEN / "yaml").glob("*.yaml"))

    assert [file.name for file in files if not is_workflow_text(file.read_text())] == []


def test_registry_lookup() -> None:
    """A registry gives its entries by type."""
    registry = load_registry(SourceText("r.yaml", "workflows: [{type: A, config_file: a.yaml}]"), environment={})
    entry = registry.get("A")

    assert entry is not None
    assert (entry.config_file, entry.enabled) == ("a.yaml", True)
    assert registry.get("B") is None
