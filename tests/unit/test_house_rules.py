"""The rules of the house that no linter knows: size, injected time, honest prose, no traces of a machine."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("ruvon", "ruvon_dsl", "ruvon_server", "ruvon_edge")
LONGEST_MODULE = 600
LONGEST_FUNCTION = 60
HEAVY = (
    "libcst",
    "yaml",
    "aiosqlite",
    "sqlite3",
    "jinja2",
    "litestar",
    "celery",
    "sqlalchemy",
    "asyncpg",
    "redis",
    "rich",
    "httpx",
    "wasmtime",
    "onnxruntime",
    "numpy",
)
CLOCK_FREE = (
    "ruvon/engine",
    "ruvon/steps",
    "ruvon/worker",
    "ruvon/scheduler",
    "ruvon_edge",
    "ruvon_server",
    "ruvon/authoring",
)
OWN_CLOCK = re.compile(r"\b(time\.(time|monotonic|sleep)|datetime\.(now|utcnow)|uuid4|random\.\w+|asyncio\.sleep)\(")


@cache
def sources() -> tuple[Path, ...]:
    """Every module of the library."""
    return tuple(sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py")))


@cache
def tracked() -> tuple[Path, ...]:
    """Every text file of the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    suffixes = {".py", ".md", ".yaml", ".yml", ".toml", ".txt", ".lock", ".sh", ""}
    return tuple(
        ROOT / name for name in listed.splitlines() if Path(name).suffix in suffixes and (ROOT / name).is_file()
    )


def _where(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def test_modules_are_short() -> None:
    """No module of the library grows past 600 lines."""
    long = [
        f"{_where(file)}: {count}"
        for file in sources()
        if (count := len(file.read_text().splitlines())) > LONGEST_MODULE
    ]

    assert long == []


def test_functions_are_short() -> None:
    """No function of the library grows past 60 lines."""
    long = [
        f"{_where(file)}:{item.lineno} {item.name}"
        for file in sources()
        for item in ast.walk(ast.parse(file.read_text()))
        if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)
        and (item.end_lineno or 0) - item.lineno > LONGEST_FUNCTION
    ]

    assert long == []


def test_every_module_says_what_it_is_for() -> None:
    """Each module has a docstring."""
    silent = [
        _where(file) for file in sources() if file.stat().st_size and not ast.get_docstring(ast.parse(file.read_text()))
    ]

    assert silent == []


def test_time_ids_and_chance_are_injected() -> None:
    """The engine and its neighbours never take time, ids or randomness by themselves (law 6)."""
    found = [
        f"{_where(file)}:{number}: {line.strip()}"
        for file in sources()
        if _where(file).startswith(CLOCK_FREE)
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if OWN_CLOCK.search(line) and not line.lstrip().startswith(("#", '"', "'")) and "`" not in line
    ]

    assert found == []


def test_nothing_is_left_for_later() -> None:
    """No markers of unfinished work, no stubs, no silent excepts, no suppressions without their rule."""
    found: list[str] = []
    for file in sources():
        text = file.read_text()
        for number, line in enumerate(text.splitlines(), 1):
            if re.search(r"\b(TODO|FIXME|XXX)\b|type:\s*ignore(?!\[)|raise NotImplementedError$|noqa(?!: [A-Z])", line):
                found.append(f"{_where(file)}:{number}: {line.strip()}")
        handlers = [item for item in ast.walk(ast.parse(text)) if isinstance(item, ast.ExceptHandler)]
        found += [
            f"{_where(file)}:{item.lineno}: an exception is swallowed"
            for item in handlers
            if len(item.body) == 1 and isinstance(item.body[0], ast.Pass)
        ]

    assert found == []


def test_no_trace_of_a_machine() -> None:
    """No absolute path of a developer's machine is committed."""
    traces = re.compile("/" + "work/(main|shared|.library)|/" + "root/")
    found = [_where(file) for file in tracked() if traces.search(file.read_text(errors="replace"))]

    assert found == []


@pytest.mark.parametrize("module", ["ruvon", "ruvon.ir", "ruvon.cli", "ruvon.authoring"])
def test_imports_are_light(module: str) -> None:
    """Importing a step module's needs loads no compiler, database driver, template engine or web framework."""
    code = f"import sys, {module}; print(sorted({set(HEAVY)} & set(sys.modules)))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)

    assert done.stdout.strip() == "[]"
