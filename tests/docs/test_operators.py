"""The pages for operators work as they are read: files are written, commands run, in the order of the page."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.test_docs import ROOT, Block, blocks

DOCS = ROOT / "docs"


class Reader:
    """Somebody who types a page; `ID` is the run that was made first."""

    def __init__(self, place: Path, env: dict[str, str]) -> None:
        self.place = place
        self.env = env
        self.run_id = ""
        self.printed: dict[str, str] = {}

    def type(self, block: Block) -> None:
        """Write a file, or run commands; each must work."""
        if block.file is not None:
            (self.place / block.file).write_text(block.text)
        for line in block.text.splitlines() if block.kind == "sh" else ():
            done = self.shell(re.sub(r"\bID\b", self.run_id, line))
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
            self.printed[line] = done.stdout
            if line.startswith("ruvon run") and not self.run_id:
                self.run_id = json.loads(self.shell("ruvon list --json").stdout)[0]["workflow_id"]

    def shell(self, line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", line], cwd=self.place, env=self.env, capture_output=True, text=True, timeout=60, check=False
        )


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reader:
    """With a home of its own."""
    monkeypatch.delenv("RUVON_IMPORT_ROOTS", raising=False)
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    env = {"PATH": path, "NO_COLOR": "1", "HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    return Reader(tmp_path, env)


def test_the_page_on_repair_works(reader: Reader) -> None:
    """Retried, rewound with an edit, forked: each has the result that the page leads to expect."""
    for block in blocks(DOCS / "repair.md"):
        reader.type(block)

    said = reader.printed
    assert "ConnectionError: the gateway is down" in said["ruvon show ID"]
    assert "1 seat for 10" in said['ruvon retry ID --reason "the gateway is back"']
    assert (
        "not undone, and done again: charge, confirm"
        in said["ruvon rewind ID charge --state '{\"price\": 12}' --dry-run"]
    )
    rows = json.loads(said["ruvon logs ID --json"])
    assert [row["note"].partition(": ")[2] for row in rows if row["kind"] == "repair"] == [
        "the gateway is back",
        "wrong price",
    ]
    assert "2 planned" in next(text for line, text in said.items() if line.startswith("ruvon bulk rewind"))
    assert "1 seat for 20" in next(text for line, text in said.items() if line.startswith("ruvon fork"))


def test_the_page_on_versions_works(reader: Reader) -> None:
    """One run moves, and the other one says why it stays."""
    for block in blocks(DOCS / "versions.md"):
        reader.type(block)

    said = reader.printed
    assert "+ node `reduce`" in said["ruvon definitions diff Order@1.0.0 order.py || true"]
    plan = said["ruvon migrate plan Order --to order.py || true"]
    assert "1 would move to Order 1.1.0" in plan
    assert "1 x it stands at `human`, which is not there any more" in plan
    rows = json.loads(reader.shell("ruvon list --json").stdout)
    assert sorted(row["workflow_version"] for row in rows) == ["1.0.0", "1.1.0"]
