"""What only a terminal sees: colours and progress."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, RUVON

pty = pytest.importorskip("pty")
Terminal = Callable[..., str]


@pytest.fixture
def terminal(place: Path) -> Terminal:
    """Run a command whose output is a terminal; what the terminal got."""

    def call(*args: str, **env: str) -> str:
        ours, theirs = pty.openpty()
        variables = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", **env}
        with subprocess.Popen([*RUVON, *args], cwd=place, env=variables, stdout=theirs, stderr=theirs) as process:
            os.close(theirs)
            found = b""
            while piece := _read(ours):
                found += piece
            process.wait(timeout=60)
        os.close(ours)
        return found.decode()

    return call


def _read(descriptor: int) -> bytes:
    """What came next; nothing when the other end was closed (Linux says so with an error)."""
    try:
        return os.read(descriptor, 65536)
    except OSError:
        return b""


def test_colours_on_a_terminal(terminal: Terminal) -> None:
    """Headings and help are coloured on a terminal."""
    terminal("db", "init")

    assert "\x1b[" in terminal("list")
    assert "\x1b[" in terminal("--help")


def test_no_color_on_a_terminal(terminal: Terminal) -> None:
    """NO_COLOR leaves every colour out, help and errors included."""
    terminal("db", "init")

    outputs = [terminal(*args, NO_COLOR="1") for args in (("list",), ("--help",), ("show", "zz"))]
    assert all("\x1b[3" not in text and "\x1b[9" not in text for text in outputs), outputs


def test_long_work_shows_progress(terminal: Terminal, place: Path) -> None:
    """Checking many files shows a progress bar."""
    for number in range(50):
        (place / f"flow_{number}.yaml").write_text(
            f"workflow_type: W{number}\nsteps:\n  - {{name: wait, type: SLEEP, duration: 1s}}\n"
        )

    text = terminal("validate", ".", "--no-import")

    assert "checking" in text
    assert "100%" in text
