"""What people bring from other languages and tools is told as what it is, with the edit that mends it."""

import pytest

from ruvon.ir._diagnostics import Diagnostic
from ruvon.ir._paths import ImportRoots
from ruvon_dsl import compile_source
from tests.unit.yaml_front_end.surroundings import STEPS
from tests.unit.yaml_front_end.test_first_mistakes import HEAD, about, mended, said

names = pytest.mark.parametrize


@names(
    ("wrong", "right"),
    [
        ("1 < 2 && 2 < 3", "1 < 2 and 2 < 3"),
        ("1 < 2 || 2 < 3", "1 < 2 or 2 < 3"),
        ("1 < 2 AND 2 < 3", "1 < 2 and 2 < 3"),
        ("(!1)", "(not 1)"),
        ("len('a') === 1", "len('a') == 1"),
        ("len('a') !== 1", "len('a') != 1"),
        ("[1, null] == []", "[1, None] == []"),
        ("[1, true] == []", "[1, True] == []"),
        ("[1, false] == []", "[1, False] == []"),
    ],
)
def test_an_operator_or_constant_of_another_language(wrong: str, right: str) -> None:
    """The finding has the edit, and the mended text is the expression that was meant."""
    text = f'{HEAD}steps:\n  - if: "WRITTEN"\n    then: [{{return: 1}}]\n'
    (found,) = [item for item in said(text.replace("WRITTEN", wrong)) if item.code == "RV0829"]
    assert mended(text.replace("WRITTEN", wrong), found) == text.replace("WRITTEN", right)


@names("fine", ["'a && b' == 'c'", "'null' == 'true'", "{'true': 1} != {}", "1 != 2"])
def test_quoted_words_are_left_alone(fine: str) -> None:
    """Inside quotes anything may stand, and `!=` is Python's."""
    assert "RV0829" not in {item.code for item in said(f'{HEAD}steps:\n  - if: "{fine}"\n    then: [{{return: 1}}]\n')}


def test_a_variable_may_be_called_null() -> None:
    """A name that the file binds is that name."""
    text = f"{HEAD}steps:\n  - set: {{null: 1}}\n  - return: =null\n"
    assert "RV0829" not in {item.code for item in said(text)}


@names("place", ["steps: [{set: {x: WRITTEN}}]", "steps:\n  - set:\n      x: WRITTEN"], ids=["inline", "block"])
def test_braces_without_quotes(place: str) -> None:
    """YAML reads `{{ x }}` as a mapping; `=x` is offered."""
    text = HEAD + place + "\n"
    (found,) = said(text.replace("WRITTEN", "{{ state.total }}"))
    assert found.message == "`{{ state.total }}` is not quoted, and YAML reads it as a mapping"
    assert mended(text.replace("WRITTEN", "{{ state.total }}"), found) == text.replace("WRITTEN", "=state.total")


def test_braces_and_more_without_quotes() -> None:
    """What cannot be a value alone gets no edit, and the advice to quote it."""
    found = said(HEAD + "steps:\n  - set:\n      x: {{ state.total }} EUR\n")
    assert [item.fix for item in found] == [None] * len(found)
    assert any("quote a text that begins with `{{`" in item.help for item in found)


def test_a_negation_that_yaml_reads_as_a_tag() -> None:
    """`!state.x` without quotes never reaches the expressions."""
    (found,) = said(HEAD + "steps:\n  - if: !state.paid\n    then: [{return: 1}]\n")
    assert found.code == "RV0805"
    assert found.help == "write `not state.paid`, or quote the text"


def test_steps_of_a_parallel() -> None:
    """`steps:` beside no list to go over is `tasks:`; nothing else is said of it."""
    text = HEAD + "steps:\n  - type: PARALLEL\n    steps: [{function: check}, {function: check, name: again}]\n"
    (found,) = [item for item in said(text) if item.code == "RV0810"]
    assert "write `tasks:`" in found.help
    assert "    tasks: [" in mended(text, found)


@names(
    ("wrong", "right"),
    [
        ("max_retries: 3", "retry: {max_attempts: 4}"),
        ("retries: 0", "retry: {max_attempts: 1}"),
        ("retry: {max_retries: 3}", "retry: {max_attempts: 4}"),
        ("retry: {retries: 1}", "retry: {max_attempts: 2}"),
    ],
)
def test_retries_are_one_less_than_attempts(wrong: str, right: str) -> None:
    """The edit keeps the number of calls."""
    text = f"{HEAD}steps:\n  - function: check\n    WRITTEN\n"
    (found,) = [item for item in said(text.replace("WRITTEN", wrong)) if item.code == "RV0810"]
    assert mended(text.replace("WRITTEN", wrong), found) == text.replace("WRITTEN", right)


def test_a_missing_module_is_told_once() -> None:
    """One finding for all places that need it, whose edit mends each; nothing that follows from it."""
    steps = "".join(f"  - {{name: s{number}, function: yaml_shpo.check}}\n" for number in range(13))
    text = f"workflow_type: Example\ninitial_state_model: yaml_shop.Order\nsteps:\n{steps}"
    (found,) = said(text)
    assert found.code == "RV0823"
    assert said(mended(text, found)) == []


def test_a_missing_module_without_a_near_one_is_told_once() -> None:
    """The form of a person's answer counts as named, so what reads it is not reported."""
    steps = (
        "  - {name: s, function: nowhere_at_all.check}\n"
        "  - {name: ask, type: HUMAN_IN_LOOP, task: a, form: nowhere_at_all.Form, output: ok}\n"
        "  - return: =ok.approved\n"
    )
    (found,) = said(f"workflow_type: Example\ninitial_state_model: yaml_shop.Order\nsteps:\n{steps}")
    assert found.message == "there is no module `nowhere_at_all`"


@names(
    ("key", "word"),
    [
        ("condition: state.vip", "`- if: CONDITION`"),
        ("on_failure: x", "`on_error: STEP`"),
        ("needs: [x]", "`dependencies:"),
        ("run: x", "`function:`"),
    ],
)
def test_a_key_of_another_tool(key: str, word: str) -> None:
    """What other tools call a condition, a handler or a dependency is led to what it is here."""
    (found,) = said(f"{HEAD}steps:\n  - function: check\n    {key}\n")
    assert word in found.help


def test_what_a_misspelt_type_gives_is_known() -> None:
    """The step is read as the type that is offered, so that nothing else is reported."""
    steps = "[{name: ask, type: HUMAN, task: a, form: Verdict, output: ok}, {return: =ok.approved}]"
    (found,) = said(f"{HEAD}steps: {steps}\n")
    assert found.code == "RV0813"


def test_a_child_takes_inputs() -> None:
    """`inputs:` is what every other step calls its data."""
    text = "steps: [{name: c, type: SUB_WORKFLOW, workflow_type: Other, inputs: {a: 1}}]\n"
    assert [item.code for item in said(HEAD + text)] == []


# --- helps in the words of YAML ---------------------------------------------------------------------------------------


PYTHON = ("await ", "async def", "into=", "strict_results=", "named(", "`gather`", "first_of")
"""Words that only an author of Python could write down."""


@names(
    ("steps", "word"),
    [
        ('[{name: r, type: HTTP, url: "https://a.example", output: r}, {return: =r.json}]', "`includes: [body]`"),
        ('[{name: r, type: HTTP, url: "https://a.example", output: r}, {return: =r.body}]', "`output_model:`"),
        ("[{return: =nothing_of_this_name}]", "`output:`"),
        ('[{if: "check(state)", then: [{return: 1}]}]', "`output: value`"),
        ("[{name: ask, type: HUMAN_IN_LOOP, task: a, output: ok}, {return: =ok.approved}]", "`ok['approved']`"),
        ("[{return: =state.wait.hours}]", "`.total_seconds()`"),
        ("[{return: =state.order_id.number}]", "`.upper()`"),
        ("[{return: =state.items.sku}]", "`[0]`"),
    ],
    ids=["code", "field", "name", "step", "dict", "timedelta", "text", "list"],
)
def test_a_help_speaks_yaml(steps: str, word: str) -> None:
    """What to write is something that a YAML file can hold."""
    found = about(steps)
    assert word in found.help
    assert not any(item in found.help for item in PYTHON)


def test_no_page_of_yaml_speaks_python(yaml_pages: dict[str, str]) -> None:
    """No finding about the failing YAML program of any code shows Python's statements."""
    spoken = {
        code: item.help
        for code, text in yaml_pages.items()
        for item in _findings(text)
        if any(word in item.help for word in PYTHON)
    }
    assert spoken == {}


def _findings(text: str) -> tuple[Diagnostic, ...]:
    return compile_source(text, kind="yaml", roots=ImportRoots(folders=[STEPS])).diagnostics


@pytest.fixture
def yaml_pages() -> dict[str, str]:
    """The failing program of each code that YAML files get."""
    from ruvon_dsl.diagnostics import catalogue

    return {code: info.bad for code, info in catalogue().items() if info.language == "yaml"}
