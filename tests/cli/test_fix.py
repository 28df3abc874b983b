"""`ruvon validate --fix`: what findings offer is made in the files, whole or not at all."""

from pathlib import Path

import pytest

from ruvon.cli import _fixes
from ruvon.cli._fixes import make_fixes
from ruvon.ir import Diagnostic, Edit, Fix
from ruvon.ir._spans import Position, Span
from tests.cli.conftest import Command

WRONG = """\
workflow_type: Wrong
saga_enabled: yes
stpes:
  # a comment stays
  - {name: rest, type: PAUSE, duration: 2 days}
"""
RIGHT = WRONG.replace("yes", "true").replace("stpes", "steps").replace("PAUSE", "SLEEP")


def finding(file: Path, column: int, end: int, text: str) -> Diagnostic:
    """A finding about the first line that offers one edit."""
    span = Span(str(file), Position(1, column), Position(1, end))
    return Diagnostic(code="RV0810", message="wrong", span=span, fix=Fix(f"write `{text}`", (Edit(span, text),)))


def test_every_fix_is_made_and_told(ruvon: Command, place: Path) -> None:
    """The file is mended, also where one fix brings the next to light, and each change is printed."""
    (place / "wrong.yaml").write_text(WRONG)
    done = ruvon("validate", "wrong.yaml", "--fix")

    assert done.code == 0, done.text
    assert (place / "wrong.yaml").read_text() == RIGHT
    assert [line.split(" (")[0] for line in done.out.splitlines()[:3]] == [
        "fixed wrong.yaml:2: write `true`",
        "fixed wrong.yaml:3: write `steps`",
        "fixed wrong.yaml:5: write `SLEEP`",
    ]


def test_python_is_mended_too(ruvon: Command, place: Path) -> None:
    """A missing `await` is put in, and the mended file is what is checked again."""
    text = (
        "from pydantic import BaseModel\nfrom ruvon import step, workflow\n\n\nclass S(BaseModel):\n    n: int = 0\n\n\n"
        "@step\nasync def go(state: S) -> None:\n    state.n = 1\n\n\n"
        '@workflow("Awaits")\nasync def awaits(state: S) -> None:\n    go(state)\n'
    )
    (place / "awaits.py").write_text(text)
    done = ruvon("validate", "awaits.py", "--fix")

    assert done.code == 0, done.text
    assert (place / "awaits.py").read_text() == text.replace("    go(state)", "    await go(state)")


def test_what_has_no_fix_remains(ruvon: Command, place: Path) -> None:
    """Findings without a fix are printed after the changes, and decide the exit code."""
    (place / "wrong.yaml").write_text(WRONG + "  - {name: call, function: nowhere.at_all}\n")
    done = ruvon("validate", "wrong.yaml", "--fix")

    assert done.code == 1
    assert "fixed wrong.yaml:2" in done.out
    assert "RV0823" in done.out
    assert "RV0812]" not in done.out


def test_machine_output_stays_clean(ruvon: Command, place: Path) -> None:
    """With --json the changes are told on standard error."""
    (place / "wrong.yaml").write_text(WRONG)
    done = ruvon("validate", "wrong.yaml", "--fix", "--json")

    assert done.json == []
    assert "fixed wrong.yaml:2" in done.err


def test_without_the_option_nothing_is_written(ruvon: Command, place: Path) -> None:
    """A check alone leaves the file, and says which option would mend it."""
    (place / "wrong.yaml").write_text(WRONG)
    done = ruvon("validate", "wrong.yaml")

    assert (place / "wrong.yaml").read_text() == WRONG
    assert done.out.rstrip().endswith("says more; --fix makes the fixes")
    assert done.out.count("ruvon explain") == 1


@pytest.mark.parametrize("end", ["\r\n", "\r", "\n"])
def test_line_ends_and_marks_stay(place: Path, ruvon: Command, end: str) -> None:
    """A file keeps its line ends, its byte order mark, its rights and its place behind a link."""
    (place / "real.yaml").write_bytes(("\ufeff" + WRONG).replace("\n", end).encode())
    (place / "real.yaml").chmod(0o640)
    (place / "link.yaml").symlink_to("real.yaml")
    done = ruvon("validate", "link.yaml", "--fix")

    assert done.code == 0, done.text
    assert (place / "real.yaml").read_bytes() == ("\ufeff" + RIGHT).replace("\n", end).encode()
    assert (place / "real.yaml").stat().st_mode & 0o777 == 0o640
    assert (place / "link.yaml").is_symlink()


def test_fixes_that_meet_are_made_one_at_a_time(place: Path) -> None:
    """Of two fixes of one place the first is made, the other is left for the next check."""
    file = place / "a.txt"
    file.write_text("abcdef\n")
    said = make_fixes([finding(file, 1, 4, "X"), finding(file, 3, 5, "Y"), finding(file, 5, 7, "Z")])

    assert len(said) == 2
    assert file.read_text() == "XdZ\n"


def test_a_fix_outside_of_files_is_left(place: Path) -> None:
    """An edit of a text that no file holds, or behind a file's end, changes nothing."""
    (place / "a.txt").write_text("a\n")
    far = Span(str(place / "a.txt"), Position(9, 1), Position(9, 2))
    lost = Diagnostic(code="RV0810", message="wrong", span=far, fix=Fix("write `x`", (Edit(far, "x"),)))

    assert make_fixes([lost, finding(Path("<text>"), 1, 2, "X")]) == []
    assert (place / "a.txt").read_text() == "a\n"


def test_a_write_that_fails_leaves_the_file(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the new text cannot be written, the old one stands and nothing is left beside it."""
    file = place / "a.txt"
    file.write_text("abc\n")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_fixes.shutil, "copymode", full)
    with pytest.raises(OSError, match="No space left"):
        make_fixes([finding(file, 1, 2, "X")])

    assert file.read_text() == "abc\n"
    assert [item.name for item in place.iterdir()] == ["a.txt"]
