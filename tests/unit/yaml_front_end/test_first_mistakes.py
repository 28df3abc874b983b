"""What people who begin with YAML get wrong, and the sentence that says what to write."""

from pathlib import Path

import pytest

from ruvon.ir._diagnostics import Diagnostic
from ruvon.ir._paths import ImportRoots
from ruvon_dsl import compile_source
from ruvon_dsl.yaml._durations import parse_duration
from tests.unit.yaml_front_end.surroundings import STEPS

HEAD = "workflow_type: Example\nmodule: yaml_shop\ninitial_state_model: Order\n"
names = pytest.mark.parametrize


def said(text: str) -> list[Diagnostic]:
    """Everything that compiling a text says."""
    return list(compile_source(text, kind="yaml", roots=ImportRoots(folders=[STEPS])).diagnostics)


def only(text: str) -> Diagnostic:
    """The one finding about a text."""
    (found,) = said(text)
    return found


def about(steps: str) -> Diagnostic:
    """The one finding about some steps."""
    return only(f"{HEAD}steps: {steps}\n")


def mended(text: str, found: Diagnostic) -> str:
    """A text of single-line edits with the fix made."""
    assert found.fix is not None
    lines = text.split("\n")
    for edit in sorted(found.fix.edits, key=lambda item: item.span.start, reverse=True):
        line = lines[edit.span.start.line - 1]
        start, end = edit.span.start.column - 1, edit.span.end.column - 1
        lines[edit.span.start.line - 1] = line[:start] + edit.text + line[end:]
    return "\n".join(lines)


# --- names ------------------------------------------------------------------------------------------------------------


@names(
    ("wrong", "right"),
    [
        ("module: yaml_shpo", "module: yaml_shop"),
        ("uses: {F: yaml_shop.chekc}", "uses: {F: yaml_shop.check}"),
        ("initial_state_model: yaml_shop:Ordr", "initial_state_model: yaml_shop:Order"),
        ("initial_state_model: yaml_shpo.Order", "initial_state_model: yaml_shop.Order"),
    ],
)
def test_a_misspelt_module_or_name_is_offered(wrong: str, right: str) -> None:
    """A module or a name in it that is nearly there is named, once, with the edit that mends it."""
    text = f"workflow_type: Example\n{wrong}\nsteps: []\n"
    found = only(text)

    assert found.code == "RV0823"
    assert right.rsplit(": ", maxsplit=1)[-1].rstrip("}") in found.help
    assert mended(text, found) == text.replace(wrong, right)


def test_a_misspelt_package_is_offered(tmp_path: Path) -> None:
    """Each part of a dotted path is compared with what is there."""
    (tmp_path / "bakery" / "ovens").mkdir(parents=True)
    for folder in ("bakery", "bakery/ovens"):
        (tmp_path / folder / "__init__.py").write_text("")
    (tmp_path / "bakery" / "ovens" / "steps.py").write_text("def bake(state): ...\n")
    text = "workflow_type: Example\nsteps: [{function: 'bakeri.oven.steps:bake'}]\n"
    (found,) = compile_source(text, kind="yaml", roots=ImportRoots(folders=[tmp_path])).diagnostics

    assert found.help == "did you mean `bakery.ovens.steps:bake`?"


def test_a_module_that_is_nowhere() -> None:
    """A module that nothing resembles is said to be missing, with the option that makes a folder known."""
    found = only("workflow_type: Example\nmodule: nowhere_at_all\nsteps: []\n")

    assert found.message == "there is no module `nowhere_at_all`"
    assert "--import-root" in found.help


@names(
    ("written", "meant"),
    [("HUMAN", "HUMAN_IN_LOOP"), ("SWITCH", "DECISION"), ("sleeep", "SLEEP"), ("Approval", "HUMAN_IN_LOOP")],
)
def test_an_unknown_type_is_a_finding(written: str, meant: str) -> None:
    """A type that is none, also one in capitals, names the nearest one and how a type is registered."""
    text = f"{HEAD}steps: [{{name: A, type: {written}}}]\n"
    found = only(text)

    assert (found.code, found.message) == ("RV0813", f"there is no step type `{written}`")
    assert found.help.startswith(f"did you mean `{meant}`?")
    assert "register_step_type" in found.help
    assert mended(text, found) == text.replace(written, meant)


# --- missing and misplaced keys ---------------------------------------------------------------------------------------


@names(
    ("step", "message", "says"),
    [
        ("type: RECEIVE", "a RECEIVE step needs `model`", "`model: module:Class`"),
        ("type: STANDARD", "a STANDARD step needs `function`", "`function: module:function`"),
        ("type: SUB_WORKFLOW", "a SUB_WORKFLOW step needs `workflow_type`", "`workflow_type:`"),
        ("if: state.vip", "an if needs `then`", "`then: [{function: module:function}]`"),
        ("for: item in state.items", "a for needs `do`", "`do: [{function: module:function}]`"),
        ("while: state.vip", "a while needs `do`", "`do: [{function: module:function}]`"),
        ("function: check, routes: [{next: END}]", "a route needs `condition`", "`condition: state.amount > 0`"),
        ("type: LOOP, steps: []", "`A` says neither what it goes over nor how long it goes on", "`iterate_over:"),
    ],
)
def test_a_missing_key_says_what_to_write(step: str, message: str, says: str) -> None:
    """One finding for a key that is not there, with the line to add."""
    found = about(f"[{{name: A, {step}}}]")

    assert (found.code, found.message) == ("RV0811", message)
    assert says in found.help


@names(
    "text",
    [
        f"{HEAD}steps: [{{while: state.vip, index: i, do: [{{function: check}}]}}]\n",
        f"{HEAD}steps: [{{for: x in state.items, do: [{{function: check, index: i}}]}}]\n",
        f"{HEAD}index: i\nsteps: []\n",
    ],
)
def test_index_in_the_wrong_place(text: str) -> None:
    """`index` belongs to what goes over a list; it is never taken for a misspelt `next`."""
    found = only(text)

    assert (found.code, found.fix) == ("RV0810", None)
    assert "`for`" in found.help


def test_index_of_a_loop_without_a_list() -> None:
    """A LOOP with a condition counts nothing."""
    found = about("[{name: A, type: LOOP, while_condition: state.vip, index: i, steps: []}]")

    assert (found.code, found.message) == ("RV0821", "`index` counts the items of a list, and `A` goes over none")


@names(
    ("loop", "code", "says"),
    [
        ("for: date of state.items", "RV0811", "write `for: item in state.items`"),
        ("for: line of state.items", "RV0811", "write `for: line in state.items`"),
        ("for: line", "RV0811", "write `for: line in state.items`"),
        ("for: date of, in: state.items", "RV0815", "write a name"),
    ],
)
def test_a_for_without_a_list(loop: str, code: str, says: str) -> None:
    """A `for` in another language's words is one finding with the line to write."""
    found = about(f"[{{{loop}, do: [{{function: check}}]}}]")

    assert found.code == code
    assert says in found.help


# --- values -----------------------------------------------------------------------------------------------------------


@names(("word", "meant"), [("yes", "true"), ("on", "true"), ("No", "false"), ('"true"', "true"), ("0", "false")])
def test_a_truth_value_in_other_words(word: str, meant: str) -> None:
    """`yes` is a text in YAML 1.2; the finding says which of the two words to write."""
    text = f"{HEAD}saga_enabled: {word}\nsteps: []\n"
    found = only(text)

    assert (found.code, found.help.startswith(f"write `{meant}`;")) == ("RV0812", True)
    assert mended(text, found) == text.replace(word, meant)


@names("word", ["maybe", "2"])
def test_a_truth_value_that_is_none(word: str) -> None:
    """Where neither can be meant, both words are named and nothing is edited."""
    found = only(f"{HEAD}saga_enabled: {word}\nsteps: []\n")

    assert (found.help.startswith("write `true` or `false`"), found.fix) == (True, None)


def test_a_number_in_words() -> None:
    """`max_attempts: two` says to write digits."""
    found = about("[{function: check, retry: {max_attempts: two}}]")

    assert found.code == "RV0812"
    assert "write digits, such as `3`" in found.help


@names(
    "step",
    ["function: check, timeout: soon", "type: SLEEP, duration: soon", "type: HUMAN_IN_LOOP, timeout: 2 fortnights"],
)
def test_what_is_no_duration_names_the_spellings(step: str) -> None:
    """A text that is no duration is told which ones are, wherever it stands."""
    found = about(f"[{{name: A, {step}}}]")

    assert found.code == "RV0814"
    assert "`30s`, `6h`, `1h30m`, `2 days`, `PT6H`" in found.help


@names(
    ("text", "seconds"),
    [
        ("2 days", 172_800),
        ("1 day", 86_400),
        ("3 minutes", 180),
        ("1 hour 30 minutes", 5_400),
        ("90 seconds", 90),
        ("1.5hours", 5_400),
        ("2 weeks", 1_209_600),
        ("5 min", 300),
        ("1h 30m", 5_400),
        ("1h30m", 5_400),
    ],
)
def test_durations_in_words(text: str, seconds: int) -> None:
    """Units may be written out, with a space, in the singular and the plural."""
    assert parse_duration(text) == seconds * 1_000_000


@names("text", ["2 dayss", "days", "2 days ago", "2 d ays", "1 h30 x", "two days", "1ss", "5 minss"])
def test_what_looks_like_a_duration(text: str) -> None:
    """A unit that is misspelt is no duration."""
    assert parse_duration(text) is None


@names("place", ["description: false", "owner: true"])
def test_a_truth_value_where_a_text_is_meant(place: str) -> None:
    """An unquoted `false` is no text; the finding shows how to quote it."""
    found = only(f"{HEAD}{place}\nsteps: []\n")

    assert found.code == "RV0812"
    assert f'`"{place.split()[1]}"`' in found.help


@names(
    "step",
    [
        "function: false",
        "name: true, function: check",
        "function: check, queue: false",
        "function: check, tags: [a, true]",
    ],
)
def test_a_truth_value_in_a_step(step: str) -> None:
    """Names, paths and queues are texts."""
    assert about(f"[{{{step}}}]").code == "RV0812"


@names(
    ("step", "right"),
    [
        ("function: quote, inputs: {items: =state.items}, output: =offer", "output: offer"),
        ("function: check, output: =state.risk", "output: state.risk"),
        ("set: {=state.risk: high}", "set: {state.risk: high}"),
    ],
)
def test_an_output_is_a_name(step: str, right: str) -> None:
    """`output: =x` says to leave the sign out, and the edit does."""
    text = f"{HEAD}steps: [{{{step}}}]\n"
    found = only(text)

    assert found.code == "RV0827"
    assert "without the `=`" in found.help
    assert right in mended(text, found)


# --- variables that were meant to be fields ---------------------------------------------------------------------------


RESERVED = "function: reserve, inputs: {item: '=state.items[0]'}, output: risk"


@names("step", ["set: {risk: high}", RESERVED, "type: ASSIGN, target: risk, value: high"])
def test_a_variable_with_the_name_of_a_field(step: str) -> None:
    """A variable that nothing reads, with a state field's name, is a warning that names the field."""
    text = f"{HEAD}steps: [{{{step}}}]\n"
    found = only(text)

    assert (found.code, found.severity.value) == ("RV0842", "warning")
    assert "`state.risk`" in found.help
    assert said(mended(text, found)) == []


def test_every_place_of_such_a_variable_is_mended() -> None:
    """The fix edits each assignment, so that none is left half done."""
    text = f"{HEAD}steps: [{{set: {{risk: high}}}}, {{set: {{risk: low}}}}]\n"

    assert said(mended(text, only(text))) == []


@names(
    "steps",
    [
        "[{set: {risk: high}}, {return: =risk}]",
        "[{set: {risk: high}}, {set: {state.order_id: 'a {{ risk }}'}}]",
        "[{set: {risk: high}}, {set: {state.order_id: '{{ risk | upper }}'}}]",
        "[{set: {risk: high}}, {set: {state.order_id: 'a {{ risk | upper }}'}}]",
        "[{set: {risk: high}}, {if: risk == 'high', then: [{function: check}]}]",
        "[{set: {other: high}}]",
        "[{set: {state.risk: high}}]",
    ],
)
def test_a_variable_that_is_read_is_meant(steps: str) -> None:
    """A variable that a later step reads is no mistake, whatever its name."""
    assert said(f"{HEAD}steps: {steps}\n") == []


def test_a_declared_variable_is_meant() -> None:
    """`variables:` says that the name is a variable."""
    assert said(f"{HEAD}variables: {{risk: str}}\nsteps: [{{set: {{risk: high}}}}]\n") == []
