"""Files that are broken in their structure, not their text: everything is a finding, nothing raises, nothing explodes."""

import random
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ruvon.ir._diagnostics import Severity
from ruvon.ir._verify import verify
from ruvon_dsl._draft import SourceText
from ruvon_dsl.yaml import load_registry
from ruvon_dsl.yaml._dependencies import MAX_DEPENDENT_STEPS
from ruvon_dsl.yaml._steps import STEP_TABLES
from tests.support.cases import CASES
from tests.support.golden import GOLDEN
from tests.unit.yaml_front_end.surroundings import lower

FILES = sorted((GOLDEN / "yaml").glob("*.yaml"))
WORDS = [
    "null",
    "[]",
    "{}",
    "x",
    "5",
    "true",
    "''",
    "[1, {a: b}]",
    "{type: LOOP}",
    "=",
    "'{{ }}'",
    "END",
    "=state",
    "${X}",
    "1s",
]


def mutations(text: str, count: int, seed: int) -> Iterator[str]:
    """The text with a few of its words replaced, dropped or doubled."""
    chance = random.Random(seed)
    for _ in range(count):
        parts = text.split(" ")
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(len(parts))
            match chance.randrange(4):
                case 0:
                    parts[at] = chance.choice(WORDS)
                case 1:
                    parts[at] = ""
                case 2:
                    parts.insert(at, chance.choice(WORDS) + ",")
                case _:
                    parts[at] = parts[at] + chance.choice([":", ",", "}", "]", " x"])
        yield " ".join(parts)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_damaged_files(file: Path) -> None:
    """A damaged file is refused or lowers to a sound graph, with import and without."""
    for text in mutations(file.read_text(), max(5, CASES // 10), crc32(file.stem.encode())):
        for opaque in (False, True):
            for draft in lower(text, opaque=opaque):
                if not any(item.severity is Severity.ERROR for item in draft.diagnostics):
                    assert verify(draft.definition) == (), text


YAML_VALUES = st.recursive(
    st.sampled_from(WORDS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.dictionaries(st.sampled_from(["name", "type", "steps", "set", "if", "next"]), inner, max_size=3).map(
            lambda items: "{" + ", ".join(f"{key}: {value}" for key, value in items.items()) + "}"
        ),
    ),
    max_leaves=6,
)


@st.composite
def any_step(draw: st.DrawFn) -> str:
    """A step of a random type with random values under its own keys."""
    kind = draw(st.sampled_from(sorted(STEP_TABLES)))
    keys = [
        spelling
        for key in STEP_TABLES[kind].keys
        for spelling in key.spellings
        if spelling not in {"type", "step_type"}
    ]
    chosen = draw(st.lists(st.sampled_from(keys), unique=True, max_size=5))
    pairs = [f"type: {kind}", *(f"{key}: {draw(YAML_VALUES)}" for key in chosen)]
    return "{" + ", ".join(pairs) + "}"


@given(st.lists(any_step(), min_size=1, max_size=4))
def test_any_values_under_known_keys(steps: list[str]) -> None:
    """Whatever stands under a key, the file is refused with a place or lowers to a sound graph."""
    text = "workflow_type: Example\nmodule: yaml_shop\ninitial_state_model: Order\nsteps:\n" + "\n".join(
        f"  - {step}" for step in steps
    )
    for draft in lower(text):
        if not any(item.severity is Severity.ERROR for item in draft.diagnostics):
            assert verify(draft.definition) == (), text
        assert all(item.span is not None for item in draft.diagnostics)


@given(st.text(max_size=200))
def test_any_text_is_a_registry_or_refused(text: str) -> None:
    """No text makes the registry reader raise."""
    registry = load_registry(SourceText("registry.yaml", text), environment={})

    assert registry.entries or registry.diagnostics


def codes_of(text: str) -> set[str]:
    """The codes that a text gives."""
    return {item.code for draft in lower(text) for item in draft.diagnostics}


def test_growing_variables_are_bounded() -> None:
    """Variables cannot blow a small file up."""
    text = f"workflow_type: Example\nparameters: {{p: {'x' * 50_000}}}\nsteps:\n  - return: '{'${p}' * 50_000}'\n"

    assert "RV0802" in codes_of(text)


def test_many_dependencies_are_bounded() -> None:
    """A list that dependencies order has a bound on its length."""
    steps = "\n".join(
        f"  - {{name: S{number}, set: {{x: 1}}, dependencies: []}}" for number in range(MAX_DEPENDENT_STEPS + 1)
    )

    assert codes_of(f"workflow_type: Example\nsteps:\n{steps}") == {"RV0802"}


def test_many_parts_of_a_text() -> None:
    """A text with very many `{{ }}` stays a template instead of thousands of expressions."""
    text = f"workflow_type: Example\nsteps:\n  - return: '{'{{ 1 }}' * 5_000}'\n"

    assert codes_of(text) == set()


def test_code_is_never_run() -> None:
    """Neither tags nor paths outside the import roots load anything (law 7)."""
    base = "workflow_type: Example\nsteps:\n  - "

    assert "RV0805" in codes_of(base + "{name: A, function: !!python/name:os.system x}")
    assert "RV0823" in codes_of(base + "{name: A, function: os.system}")
    assert "RV0823" in codes_of(base + "{name: A, function: subprocess:run}")
    assert "RV0823" in codes_of(base + "{name: A, function: yaml_shop.__builtins__.eval}")
    assert codes_of(base + "return: =__import__('os').system('x')") & {"RV0202", "RV0222", "RV0223"}
