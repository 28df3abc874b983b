"""Both type checkers, strict, accept what is right and find what is wrong, each at its line.

The cases are checked by one run of mypy and one of pyright. A line that must fail says so:
`# expect-error: mypy=<code> pyright=<rule>`; further findings on that line are allowed, on any other line none is. The ten
programs must have none at all.
"""

import json
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
CASES = sorted((HERE / "cases").glob("*.py"))
PROGRAMS = sorted((ROOT / "tests" / "programs").glob("*.py"))
FILES = [*CASES, *PROGRAMS]

_MARK = re.compile(r"# expect-error:(?P<rules>.*)$")
_MYPY = re.compile(r"^(?P<file>.+?):(?P<line>\d+): error: (?P<message>.*)  \[(?P<code>[\w-]+)\]$")

Findings = Mapping[tuple[str, int], set[str]]


def expected(tool: str) -> dict[tuple[str, int], str]:
    """The rule that each marked line must break, by file name and line."""
    found: dict[tuple[str, int], str] = {}
    for file in FILES:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            mark = _MARK.search(line)
            rules = dict(part.split("=", 1) for part in mark["rules"].split()) if mark else {}
            if tool in rules:
                found[file.name, number] = rules[tool]
    return found


@pytest.fixture(scope="module")
def mypy_findings() -> Findings:
    """What mypy says about all files, with the options of `make types` and so with its cache."""
    command = [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml"]
    command += ["--no-error-summary", "--hide-error-context"]
    done = subprocess.run([*command, *map(str, FILES)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    found: defaultdict[tuple[str, int], set[str]] = defaultdict(set)
    for line in done.stdout.splitlines():
        match = _MYPY.match(line)
        if match:
            found[Path(match["file"]).name, int(match["line"])].add(match["code"])
    return found


@pytest.fixture(scope="module")
def pyright_findings() -> Findings:
    """What pyright says about all files."""
    command = [sys.executable, "-m", "pyright", "--outputjson", "-p", str(HERE), "--pythonpath", sys.executable]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    report = json.loads(done.stdout)
    assert report["summary"]["filesAnalyzed"] >= len(FILES)
    found: defaultdict[tuple[str, int], set[str]] = defaultdict(set)
    for item in report["generalDiagnostics"]:
        found[Path(item["file"]).name, item["range"]["start"]["line"] + 1].add(item.get("rule", "syntax"))
    return found


def check(tool: str, findings: Findings) -> None:
    """Each marked line fails with its rule, no other line fails."""
    wanted = expected(tool)
    missed = {place: rule for place, rule in wanted.items() if rule not in findings.get(place, set())}
    surprising = {place: rules for place, rules in findings.items() if place not in wanted}
    assert (missed, surprising) == ({}, {})


def test_there_is_enough_to_check() -> None:
    """Ten programs, and marks for both tools."""
    assert len(PROGRAMS) == 10
    assert min(len(expected("mypy")), len(expected("pyright"))) >= 30


def test_mypy_finds_what_is_wrong_and_nothing_else(mypy_findings: Findings) -> None:
    """Strict mypy agrees with every mark."""
    check("mypy", mypy_findings)


def test_pyright_finds_what_is_wrong_and_nothing_else(pyright_findings: Findings) -> None:
    """Strict pyright agrees with every mark."""
    check("pyright", pyright_findings)


STALE = """
from ruvon.providers import Clock

class Stopped:
    def now_us(self) -> int:
        return 0

def clock(stopped: Stopped) -> Clock:
    return stopped
"""


def test_a_double_that_lacks_a_method_is_found(tmp_path: Path) -> None:
    """By the looser check of tests, benchmarks and examples (`doubles.ini`)."""
    (tmp_path / "stale.py").write_text(STALE)
    command = [sys.executable, "-m", "mypy", "--config-file", str(HERE / "doubles.ini")]
    done = subprocess.run([*command, str(tmp_path / "stale.py")], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert 'got "Stopped", expected "Clock"' in done.stdout
