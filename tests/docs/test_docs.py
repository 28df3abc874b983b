"""The documentation is true: its code runs, its files compile, its commands work, its generated parts are up to date."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent
from types import ModuleType

import pytest
import yaml

from docs import generate
from docs._samples import EXPRESSIONS, PATTERNS, REFUSED, STATEMENTS, STEPS_HEAD
from docs.generate import out_of_date
from ruvon import Workflow
from ruvon.ir import ImportRoots
from ruvon_dsl import compile_function, compile_source, require
from ruvon_dsl.diagnostics import catalogue
from ruvon_dsl.python._fates import AST_FATES
from ruvon_dsl.yaml._keys_flow import SHORT_TABLES
from ruvon_dsl.yaml._steps import STEP_TABLES

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
MORE_PAGES = (ROOT / "CHANGELOG.md", *sorted((ROOT / "examples").glob("*/README.md")))
BLOCK = re.compile(r"(<!-- not run -->\n)?^```(\w+)\n(.*?)^```$|^<!-- setup\n(.*?)^-->$", re.DOTALL | re.MULTILINE)
FILE_NAME = re.compile(r"# ([\w./]+\.(?:py|yaml))\n")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_NOT_UNDONE = "RV0456"
"""What starts of a saga that are not waited for get, wherever they stand."""
QUICKSTART = ROOT / "docs" / "quickstart.md"


@dataclass(frozen=True)
class Block:
    """One block of code of a page."""

    kind: str
    text: str

    @property
    def file(self) -> str | None:
        """The file that the block is, where its first line says so."""
        found = FILE_NAME.match(self.text)
        return found[1] if found else None


def blocks(page: Path) -> list[Block]:
    """The blocks of a page in order, hidden ones included, those marked `not run` left out."""
    found = BLOCK.finditer(page.read_text())
    return [Block(item[2] or "python", item[3] or item[4] or "") for item in found if not item[1]]


def name_of(page: Path) -> str:
    """A page's name in test ids."""
    return page.stem


def with_code(kind: str) -> list[Path]:
    """The pages that hold a block of this kind."""
    return [page for page in PAGES if any(block.kind == kind for block in blocks(page))]


@pytest.mark.parametrize("page", with_code("python"), ids=name_of)
def test_python_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Python blocks of a page run as one module, and every workflow in it compiles (S1-077)."""
    code = [block.text for block in blocks(page) if block.kind == "python"]
    module = f"page_{re.sub(r'[^a-z]', '_', page.stem.lower())}"
    for block in blocks(page):
        if block.file is not None:
            (tmp_path / block.file).write_text(block.text)
    loose = [text for text in code if not FILE_NAME.match(text)]
    (tmp_path / f"{module}.py").write_text("\n\n".join(loose))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))

    names = [Path(block.file).stem for block in blocks(page) if block.kind == "python" and block.file]
    try:
        loaded = [__import__(name) for name in (*names, module)]
        compiled = [item for found in loaded for item in compiled_workflows(found, tmp_path)]
    finally:
        for name in (*names, module):
            sys.modules.pop(name, None)

    assert all(item is not None for item in compiled)
    assert len(compiled) >= sum(text.count("@workflow(") for text in code)


def compiled_workflows(module: ModuleType, folder: Path) -> list[bytes | None]:
    """The digests of the workflows that a module defines."""
    roots = ImportRoots({"examples", module.__name__}, [folder])
    found = [item for item in vars(module).values() if isinstance(item, Workflow)]
    return [
        item.digest
        for flow in found
        if flow.__ruvon_workflow__.function is not None
        and flow.__ruvon_workflow__.function.__module__ == module.__name__
        for item in require(compile_function(flow, roots=roots))
    ]


@pytest.mark.parametrize("page", with_code("yaml"), ids=name_of)
def test_yaml_of_a_page_compiles(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The YAML blocks of a page are YAML, and those that are workflow files compile without a finding."""
    monkeypatch.syspath_prepend(str(tmp_path))
    for block in blocks(page):
        if block.file is not None:
            (tmp_path / block.file).write_text(block.text)
    for block in (item for item in blocks(page) if item.kind == "yaml"):
        assert yaml.safe_load(block.text)
        if re.search("^workflow_type:", block.text, re.MULTILINE):
            roots = ImportRoots({"examples"}, [tmp_path])
            result = compile_source(block.text, kind="yaml", file=str(tmp_path / "page.yaml"), roots=roots)
            assert [f"{item.code} {item.message}" for item in result.diagnostics] == []
    for block in blocks(page):
        sys.modules.pop(Path(block.file or "-").stem, None)


def test_the_quickstart_works(tmp_path: Path) -> None:
    """A newcomer who types the quickstart gets what it says: approval, crash, resume, one graph in two forms."""
    bin_ = Path(sys.executable).parent
    env = {**os.environ, "PATH": f"{bin_}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1", "HOME": str(tmp_path)}
    env["XDG_CONFIG_HOME"] = str(tmp_path / "config")
    run_id, printed = "", []
    for block in blocks(QUICKSTART):
        if block.file is not None:
            (tmp_path / block.file).write_text(block.text)
        if block.kind != "sh":
            continue
        for line in block.text.splitlines():
            command = re.sub(r"\bID\b", run_id, line)
            done = subprocess.run(
                ["bash", "-c", command], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False
            )
            assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
            printed.append(done.stdout)
            if line == "python start.py":
                run_id = done.stdout.split()[0]
                assert "WAITING_HUMAN" in done.stdout

    crashed = next(text for text in printed if "history" in text)
    assert "send" not in crashed.partition("history")[2].replace("sender", "")
    assert any("sent: Hello, Ada!" in text and "COMPLETED" in text for text in printed)
    digests = [text.strip() for text in printed if re.fullmatch(r"[0-9a-f]{64}\s*", text)]
    assert len(digests) == 2
    assert len(set(digests)) == 1


def test_generated_parts_are_up_to_date() -> None:
    """Tables that the code knows are those that `python -m docs.generate` writes."""
    assert [page.name for page in out_of_date()] == []


def test_the_script_says_what_is_out_of_date(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`python -m docs.generate --check` names stale pages and fails; without it they are written."""
    page = tmp_path / "page.md"
    page.write_text("<!-- begin limits -->\nold\n<!-- end limits -->\n")
    monkeypatch.setattr(generate, "DOCS", tmp_path)

    assert generate.main(["--check"]) == 1
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    assert capsys.readouterr().out == "out of date: docs/page.md\nwritten: docs/page.md\n"
    assert "characters of one expression" in page.read_text()


def test_every_kind_of_python_is_on_the_page() -> None:
    """The page on Python has a row for every kind that the front end decides, under codes that exist."""
    samples = {**STATEMENTS, **EXPRESSIONS, **PATTERNS}

    assert samples.keys() == AST_FATES.keys()
    assert set(REFUSED.values()) <= catalogue().keys()
    page = (ROOT / "docs" / "python.md").read_text()
    assert [name for name in samples if f"\n| {name} | " not in page] == []


def test_every_step_type_is_on_the_page() -> None:
    """The page on YAML has a section for every built-in step type and every short form."""
    page = (ROOT / "docs" / "yaml.md").read_text()
    titles = [*STEP_TABLES, *(f"- {name}" for name in SHORT_TABLES)]

    assert [title for title in titles if f"\n### `{title}`\n" not in page] == []


@pytest.mark.parametrize("title", [*STEP_TABLES, *(f"- {name}" for name in SHORT_TABLES)])
def test_the_example_of_a_step_type_compiles(title: str) -> None:
    """The example under each heading uses its type or key, and is part of a file that compiles without a finding."""
    page = (ROOT / "docs" / "yaml.md").read_text()
    section = page.partition(f"\n### `{title}`\n")[2].partition("\n### ")[0]
    example = BLOCK.search(section)
    steps = example[3] if example is not None else ""
    text = STEPS_HEAD + indent(steps, "  ")
    result = compile_source(text, kind="yaml", file="page.yaml", roots=ImportRoots({"examples"}))

    marker = rf"^\s*{title}:|[\[{{]{title[2:]}[\]:]" if title.startswith("- ") else rf"type: {title}\b|function: "
    assert re.search(marker, steps, re.MULTILINE)
    found = [item for item in result.diagnostics if item.code != _NOT_UNDONE]
    assert [f"{item.code} {item.message}" for item in found] == []


@pytest.mark.parametrize("page", [*PAGES, *MORE_PAGES], ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_resolve(page: Path) -> None:
    """Every link inside the repository leads to a file, and its anchor to a heading."""
    broken = []
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    for target in LINK.findall(text):
        name, _, anchor = target.partition("#")
        if "://" in target:
            continue
        file = (page.parent / name).resolve() if name else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)

    assert broken == []


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [*PAGES, *MORE_PAGES], ids=lambda page: page.relative_to(ROOT).as_posix())
def test_codes_exist(page: Path) -> None:
    """Every diagnostic code that a page names is one."""
    named = set(re.findall(r"\bRV\d{4}\b", page.read_text()))

    assert sorted(named - catalogue().keys()) == []


def test_every_page_is_reached() -> None:
    """The first page leads to every other page of the documentation."""
    index = (ROOT / "docs" / "index.md").read_text()

    assert [
        page.name for page in (ROOT / "docs").glob("*.md") if page.name not in index and page.name != "index.md"
    ] == []


def test_the_commands_for_operators_exist() -> None:
    """Every command of the page is one of the command line, with options that it has."""
    import click

    from ruvon.cli._app import cli

    page = ROOT / "docs" / "operators.md"
    shell = "\n".join(block.text for block in blocks(page) if block.kind == "sh")
    inline = "\n".join(re.findall(r"`(ruvon [^`]+)`", page.read_text()))
    found = re.findall(r"ruvon ((?:[a-z-]+ )+)([^\n)]*)", f"{shell}\n{inline}\n")
    assert len(found) > 10
    for words, rest in found:
        command: click.Command = cli
        for word in words.split():
            if isinstance(command, click.Group):
                command = command.commands[word]
        options = {name for item in command.params for name in (*item.opts, *item.secondary_opts)}
        assert set(re.findall(r"--[a-z-]+", rest)) <= options, words
