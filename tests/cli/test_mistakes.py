"""Whatever a user gets wrong ends with a sentence and the documented exit code, never with a traceback."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cli.conftest import FLOWS, ORDER, SMALL, Command
from tests.support.cases import CASES

DATA = json.dumps(SMALL)
USAGE: tuple[tuple[str, ...], ...] = (
    ("frobnicate",),
    ("run",),
    ("run", ORDER, "-d", "{bad"),
    ("run", ORDER, "-d", "@missing.json"),
    ("run", ORDER, "--data-file", "missing.json"),
    ("run", ORDER, "--data-file", "."),
    ("run", ORDER, "-d", DATA, "--data-file", "x.json"),
    ("run", ORDER, "-d", DATA, "--db", "mysql://user:secret@host/db"),
    ("run", "."),
    ("compile", ORDER, "-o", "missing/folder/x.json"),
    ("compile", ORDER, "--format", "xml"),
    ("list", "--status", "SLEEPY"),
    ("list", "--limit", "0"),
    ("list", "--db", "memory"),
    ("schema", "state"),
    ("explain", "--nope"),
    ("config", "set-default", "colour", "red"),
    ("interactive", "run", ORDER, "-d", "[1]"),
    ("worker", "--grace", "nan"),
    ("worker", "--lease", "inf"),
    ("worker", "--lease", "nan"),
    ("worker", "--poll", "1e300"),
    ("worker", "--health-file", "."),
    ("worker", "--worker-id", "a\nb"),
    ("scheduler", "--poll", "inf"),
    ("scheduler", "--retention", "nan"),
    ("scan-zombies", "--threshold", "1e300"),
    ("zombie-daemon", "--interval", "inf"),
    ("crash-test", ORDER, "-d", DATA, "--patience", "nan"),
    ("queues", "set", "mail", "--concurrency", "9" * 23),
    ("queues", "set", "mail", "--rate", "5/400d"),
)
REFUSED: tuple[tuple[str, ...], ...] = (
    ("run", ORDER, "-d", "{}"),
    ("run", ORDER, "-d", "[1]"),
    ("run", ORDER, "-d", '"text"'),
    ("run", ORDER, "-d", '{"order_id": 1, "customer": "x", "items": "none"}'),
    ("run", "empty.yaml"),
    ("run", "binary.yaml"),
    ("run", "binary.py"),
    ("run", "crooked.json"),
    ("run", "raises.py"),
    ("run", "wrong.yaml"),
    ("validate", "empty.yaml"),
)
MISSING: tuple[tuple[str, ...], ...] = (
    ("run", "nothing.yaml"),
    ("run", "nothing.json"),
    ("run", "Nothing"),
    ("run", "no.module:here"),
    ("run", ORDER, "-d", DATA, "--workflows", "nowhere"),
    ("run", str(FLOWS), "--workflow", "Nothing"),
    ("validate", "nothing"),
    ("validate", "hollow"),
    ("explain", "RV9999"),
)
DATABASE: tuple[tuple[str, ...], ...] = (
    ("list",),
    ("show", "abcd"),
    ("db", "status"),
    ("db", "validate"),
    ("list", "--db", "garbage.db"),
    ("list", "--db", "newer.db"),
    ("db", "init", "--db", "newer.db"),
    ("start", ORDER, "-d", DATA, "--db", "missing/folder/ruvon.db"),
    ("start", ORDER, "-d", DATA, "--db", "hollow"),
    ("list", "--db", "hollow"),
    ("db", "init", "--db", "hollow"),
    ("db", "migrate", "--dry-run", "--db", "hollow"),
)


@pytest.fixture(autouse=True)
def broken_things(place: Path) -> None:
    """Files of every kind that is wrong."""
    (place / "hollow").mkdir()
    (place / "empty.yaml").write_text("")
    (place / "binary.yaml").write_bytes(b"\xff\xfe\x00workflow")
    (place / "binary.py").write_bytes(b"\xff\xfe\x00@workflow")
    (place / "crooked.json").write_text('{"workflow_type": 3}')
    (place / "raises.py").write_text("from ruvon import workflow\nraise OSError('no disk')\n")
    (place / "wrong.yaml").write_text("workflow_type: W\nsteps: [{name: a, function: nowhere.at_all}]\n")
    (place / "garbage.db").write_bytes(b"this is no database, and long enough to be read as a header" * 20)
    connection = sqlite3.connect(place / "newer.db")
    connection.execute("PRAGMA user_version = 99")
    connection.close()


def _ends(shell: Callable[..., object], arguments: tuple[str, ...]) -> tuple[int, str]:
    done = shell(*arguments)
    return done.code, done.text  # type: ignore[attr-defined]


@pytest.mark.parametrize("arguments", USAGE, ids=" ".join)
def test_usage_is_2(ruvon: Command, arguments: tuple[str, ...]) -> None:
    """What cannot be meant ends with code 2."""
    assert _ends(ruvon, arguments)[0] == 2


@pytest.mark.parametrize("arguments", REFUSED, ids=" ".join)
def test_refused_input_is_1(ruvon: Command, arguments: tuple[str, ...]) -> None:
    """Input or definitions with mistakes end with code 1 and words about them."""
    code, text = _ends(ruvon, arguments)

    assert code == 1
    assert "Traceback" not in text
    assert text.strip()


@pytest.mark.parametrize("arguments", MISSING, ids=" ".join)
def test_what_is_not_there_is_4(ruvon: Command, arguments: tuple[str, ...]) -> None:
    """Unknown targets, types, codes and folders end with code 4."""
    assert _ends(ruvon, arguments)[0] == 4


@pytest.mark.parametrize("arguments", DATABASE, ids=" ".join)
def test_a_database_that_cannot_be_used_is_3(ruvon: Command, arguments: tuple[str, ...]) -> None:
    """Missing, corrupt, newer and unreachable databases end with code 3."""
    assert _ends(ruvon, arguments)[0] == 3


@pytest.mark.parametrize("arguments", [case for case in DATABASE if "hollow" in case], ids=" ".join)
def test_a_folder_in_place_of_a_database_is_said_to_be_one(ruvon: Command, arguments: tuple[str, ...]) -> None:
    """Not to be created: it is there, and is no file."""
    assert "hollow is a folder; name a file with --db, such as hollow/ruvon.db" in ruvon(*arguments).err


LONG = "a" * 5_000


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("show", LONG), 4),
        (("show", "z" * 36), 4),
        (("cancel", LONG), 4),
        (("run", LONG), 4),
        (("schedule", "show", LONG), 4),
        (("definitions", "show", LONG), 4),
        (("definitions", "show", f"{LONG}@1"), 4),
        (("definitions", "show", f"W@{LONG}"), 4),
        (("compile", LONG), 4),
    ],
    ids=lambda value: " ".join(item[:12] for item in value) if isinstance(value, tuple) else "",
)
def test_what_is_too_long_for_a_name_is_not_said_again_whole(
    ruvon: Command, arguments: tuple[str, ...], code: int
) -> None:
    """A message stays readable whatever was pasted in place of a name."""
    ruvon("db", "init")

    done = ruvon(*arguments)

    assert done.code == code
    assert done.err.startswith("error: ")
    assert len(done.err) < 400


def test_a_damaged_page_is_3(ruvon: Command, place: Path) -> None:
    """A database whose pages were overwritten ends with code 3 and says that it is damaged."""
    for _ in range(20):
        ruvon("start", ORDER, "-d", DATA)
    file = place / "ruvon.db"
    data = bytearray(file.read_bytes())
    data[4096:] = b"\xa5" * (len(data) - 4096)
    file.write_bytes(bytes(data))

    done = ruvon("list")

    assert done.code == 3
    assert "damaged" in done.err


def test_no_password_is_shown(ruvon: Command) -> None:
    """The sentence about a database of another kind leaves its password out."""
    assert "secret" not in ruvon("list", "--db", "mysql://user:secret@host/db").text


@pytest.mark.parametrize("folder", ["/proc", "/sys"])
def test_a_folder_that_takes_no_files(ruvon: Command, folder: str) -> None:
    """Output and databases in folders that cannot be written end with sentences."""
    if not Path(folder).is_dir():
        pytest.skip("this system has no such folder")

    assert ruvon("compile", ORDER, "-o", f"{folder}/x.json").code == 1
    assert ruvon("start", ORDER, "-d", DATA, "--db", f"{folder}/x.db").code == 3


def test_a_crooked_config_file(ruvon: Command, place: Path) -> None:
    """A config file that is no mapping, or has an unknown key, is named."""
    config = place / ".ruvon" / "config.yaml"
    config.parent.mkdir()
    for text in ("[1, 2]", "colour: red", "a: [", "{"):
        config.write_text(text)
        done = ruvon("list")
        assert done.code == 2
        assert str(config) in done.err


def test_a_real_process_shows_no_traceback(shell: Command) -> None:
    """The same in a process of its own: one sentence on standard error."""
    for arguments, code in ((REFUSED[0], 1), (USAGE[2], 2), (DATABASE[4], 3), (MISSING[0], 4)):
        done = shell(*arguments)
        assert done.code == code
        assert "Traceback" not in done.text


VOCABULARY = (
    "compile validate convert graph explain schema run start list show resume retry cancel logs metrics interactive "
    "config db init status stats set-default reset path --json --help -h --limit --status --type -v --db memory "
    "--level --follow -n -w --summary --step -i -d --data-file {} [] null @x @- --auto --dry-run --from-step --force "
    "--reason --workflow --workflows --import-root --format --to --digest --strict --no-import --graph -o out.txt "
    "Nope ACTIVE 1 -1 0 x:y wrong.yaml empty.yaml raises.py hollow garbage.db newer.db RV0301 yaml python ir state"
)
WORDS = st.sampled_from(VOCABULARY.split())
ARGUMENTS = st.lists(WORDS | st.text(max_size=6), max_size=7)


@settings(max_examples=min(CASES, 400))
@given(arguments=ARGUMENTS)
def test_random_arguments_never_give_a_traceback(arguments: list[str]) -> None:
    """Any list of words ends with one of the documented exit codes."""
    from ruvon.cli._app import cli

    done = CliRunner().invoke(cli, arguments, input="", prog_name="ruvon")

    assert done.exception is None or isinstance(done.exception, SystemExit), (arguments, done.exception)
    assert done.exit_code in {0, 1, 2, 3, 4}


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("broken.yaml", b"a: [b", "broken.yaml is no YAML: line 1, column 6: "),
        ("two.yaml", b"a: 1\n---\nb: 2\n", "two.yaml is no YAML: line 2, column 1: "),
        ("date.yaml", b"a: 2026-99-99\n", "date.yaml has a value that cannot be read: "),
        ("tag.yaml", b"a: !!python/object:os.system []\n", "tag.yaml is no YAML: line 1, column 4: "),
        ("binary.yaml", b"\x00\xff\xfe", "binary.yaml cannot be read: it is no text in UTF-8"),
        ("binary", b"\x00\xff\xfe", "binary cannot be read: it is no text in UTF-8"),
        ("broken.json", b"{", "broken.json is no JSON: "),
    ],
)
def test_a_file_of_data_that_cannot_be_read(ruvon: Command, place: Path, name: str, content: bytes, says: str) -> None:
    """One line that says where, and code 2."""
    (place / name).write_bytes(content)

    for arguments in (("-d", f"@{name}"), ("--data-file", name)):
        done = ruvon("start", str(FLOWS), "--workflow", "Timer", *arguments)
        assert done.code == 2
        assert done.err.startswith(f"error: {says}")
        assert len(done.err.splitlines()) == 1


def test_a_name_that_no_file_can_have_is_not_found(ruvon: Command) -> None:
    """As any other target or folder that is not there."""
    name = "a" * 300
    for arguments in (("validate", name), ("run", f"{name}.py"), ("graph", name), ("run", "x/" * 3000)):
        done = ruvon(*arguments)
        assert done.code == 4, done.text
        assert len(done.err) < 300


@pytest.mark.parametrize(
    "command", [("list",), ("show", "3f2a9c41"), ("db", "status"), ("logs", "3f2a9c41"), ("bulk", "cancel", "--all")]
)
def test_an_empty_file_is_left_as_it_is(ruvon: Command, place: Path, command: tuple[str, ...]) -> None:
    """Only what creates runs or databases makes a database of it."""
    (place / "empty.db").touch()

    done = ruvon(*command, "--db", "empty.db")

    assert (done.code, "ruvon db init --db empty.db" in done.err) == (3, True), done.text
    assert [(file.name, file.stat().st_size) for file in place.glob("empty.db*")] == [("empty.db", 0)]
    assert ruvon("db", "init", "--db", "empty.db").code == 0
    assert ruvon("list", "--db", "empty.db").code == 0
