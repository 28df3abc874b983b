"""The list of documented features: complete, and each proof is a test that is really collected."""

import ast
import re
import subprocess
import sys
from pathlib import Path

from tests.features.engine import (
    COMMANDS,
    ENGINE,
    EXECUTION,
    FEATURES,
    OBSERVERS,
    SAGA,
    STEP_TYPES,
    VERSIONING,
    ZOMBIES,
    Later,
    Proven,
)

TESTS = Path(__file__).parents[1]
PROVEN = {key: feature for key, feature in FEATURES.items() if isinstance(feature, Proven)}


def test_no_documented_feature_is_missing() -> None:
    """The checklist has so many rows in these areas; every id is of one area."""
    areas = [ENGINE, OBSERVERS, STEP_TYPES, SAGA, ZOMBIES, VERSIONING, EXECUTION, COMMANDS]

    assert [len(area) for area in areas] == [59, 36, 16, 10, 10, 6, 19, 6]
    assert len(FEATURES) == sum(len(area) for area in areas) == 162
    assert all(re.fullmatch(r"S[1-5]-\d{3}", key) for key in FEATURES)


def test_every_proof_is_a_test() -> None:
    """Each named test is there when pytest collects its file."""
    wanted = {f"tests/{node}" for feature in PROVEN.values() for node in feature.tests}
    files = sorted({node.partition("::")[0] for node in wanted})
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *files],
        cwd=TESTS.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    collected = {line.partition("[")[0] for line in done.stdout.splitlines() if "::" in line}

    assert all(feature.tests for feature in PROVEN.values())
    assert wanted - collected == set(), done.stdout[-2000:]


def test_tests_of_features_name_them() -> None:
    """What was written for a feature says so in its docstring."""
    documents = {
        f"features/{file.name}::{item.name}": ast.get_docstring(item) or ""
        for file in sorted((TESTS / "features").glob("test_*.py"))
        for item in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(item, ast.FunctionDef)
    }
    missing = [
        (key, node)
        for key, feature in PROVEN.items()
        for node in feature.tests
        if node in documents and key not in documents[node]
    ]

    assert missing == []


def test_what_is_not_proven_says_why() -> None:
    """A milestone and a reason, in words."""
    later = [feature for feature in FEATURES.values() if isinstance(feature, Later)]

    assert all(feature.milestone and feature.reason for feature in later)
    assert len(later) < len(PROVEN)
