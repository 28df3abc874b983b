"""What people type first: data in the wrong place, misspelt fields, answers to be copied, drawings by suffix."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from ruvon._described import sample
from tests.cli.conftest import FLOWS, LARGE, ORDER, SMALL, Command

ROOTS = ("--import-root", str(FLOWS.parent))
GREET = ("run", str(FLOWS), "--workflow", "Greet")
Starter = Callable[..., str]


# --- data -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["data.json", "missing.json", "data.yaml", "plain"])
def test_a_file_name_in_place_of_json(ruvon: Command, place: Path, name: str) -> None:
    """`-d data.json` is told to write `-d @data.json`, also where there is no such file yet."""
    (place / "plain").write_text("{}")
    done = ruvon("run", ORDER, "-d", name)

    assert done.code == 2
    assert f"`{name}` is the name of a file; write `-d @{name}`" in done.err


def test_the_option_that_was_used_is_named(ruvon: Command, started: Starter) -> None:
    """`-i answer.json` speaks of -i."""
    done = ruvon("resume", started("Greet", {"name": "Ada"}, "--auto"), *ROOTS, "-i", "answer.json")

    assert done.code == 2
    assert "`-i @answer.json`" in done.err


def test_an_unknown_field_of_the_initial_data_is_refused(ruvon: Command) -> None:
    """A key that the state has no field for ends the command with the near field and all fields; nothing is stored."""
    done = ruvon(*GREET, "-d", '{"name": "Ada", "loudd": true}')

    assert done.code == 1
    assert "there is no field `loudd`; did you mean `loud`?" in done.err
    assert "`mood`" in done.err
    assert ruvon("list", "--json").json == []


@pytest.mark.parametrize("command", [("start", "--dry-run"), ("start",), ("interactive", "run")])
def test_every_command_that_takes_data_refuses_it(ruvon: Command, command: tuple[str, ...]) -> None:
    """Fields inside lists are looked at too, wherever data is given."""
    data = {**SMALL, "items": [{**SMALL["items"][0], "colour": "red"}]}  # type: ignore[dict-item]  # JSON
    name, *options = command
    words = (*command, ORDER) if name == "interactive" else (name, ORDER, *options)
    done = ruvon(*words, "-d", json.dumps(data))

    assert done.code == 1
    assert "there is no field `items.0.colour`" in done.err


def test_an_unknown_field_of_an_answer_is_refused(ruvon: Command, started: Starter) -> None:
    """A misspelt key of an answer is refused; the step keeps waiting."""
    workflow_id = started("Greet", {"name": "Ada"}, "--auto")
    done = ruvon("resume", workflow_id, *ROOTS, "-i", '{"ok": true, "number": 5, "note": "x"}')

    assert done.code == 1
    assert "there is no field `note`; the fields are `number`, `ok`" in done.err
    assert ruvon("show", workflow_id, *ROOTS, "--json").json["status"] == "WAITING_HUMAN"


def test_what_takes_any_keys_is_left_alone(ruvon: Command) -> None:
    """A state without a class has no fields to miss."""
    done = ruvon("start", str(FLOWS.parent / "cli_steps.yaml"), "-d", '{"anything": 1}', "--json")

    assert done.code == 0, done.text


def test_the_alias_and_the_name_of_a_field_are_known(ruvon: Command, place: Path) -> None:
    """A field that has an alias may be given by either, where its class takes both."""
    (place / "aliased.py").write_text(
        "from pydantic import BaseModel, ConfigDict, Field\n"
        "from ruvon import workflow\n"
        "class Line(BaseModel):\n"
        "    model_config = ConfigDict(populate_by_name=True)\n"
        "    size: int = Field(default=1, alias='lineSize')\n"
        "class Box(BaseModel):\n"
        "    lines: list[Line] = []\n"
        "@workflow('Boxes')\n"
        "async def boxes(state: Box) -> None:\n"
        "    state.lines = []\n"
    )
    found = [
        ruvon("start", "aliased.py", "--dry-run", "-d", json.dumps({"lines": [{key: 3}]}))
        for key in ("size", "lineSize", "sise")
    ]

    assert [done.code for done in found] == [0, 0, 1]


# --- going on ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [(*GREET, "-d", '{"name": "Ada"}'), ("run", ORDER, "-d", json.dumps(LARGE))])
def test_the_printed_answer_can_be_typed_as_it_is(ruvon: Command, arguments: tuple[str, ...]) -> None:
    """The command after `answer:` is taken by the step that waits, and drives the run on."""
    printed = ruvon(*arguments).out
    line = next(line for line in printed.splitlines() if line.strip().startswith("answer: "))
    words = shlex.split(line.partition("answer: ")[2])
    done = ruvon(*words[1:])

    assert words[-1] == "--auto"
    assert done.code == 0, done.text
    assert "WAITING_HUMAN at" not in done.out


def test_the_printed_signal_can_be_typed_as_it_is(ruvon: Command) -> None:
    """What waits for a signal names the command that sends it: its class, fields to fill in, and the key."""
    flow = Path(__file__).parent / "flows" / "cli_repair.py"
    ruvon("run", str(flow), "--workflow", "Waiting", "-d", '{"gate": "none"}')
    run = ruvon("list", "--json").json[0]["workflow_id"]
    printed = ruvon("resume", run, "--import-root", str(flow.parent), "-i", '{"ok": true}').out
    command = next(line for line in printed.splitlines() if "ruvon signal" in line).strip()

    assert command.startswith(f"signal: ruvon signal {run} Paid '{{\"amount\":1}}' --key k ")
    done = ruvon(*shlex.split(command)[2:])
    assert (done.code, "COMPLETED" in done.out) == (0, True), done.text


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "integer", "exclusiveMinimum": 3}, 4),
        ({"type": "integer", "minimum": 3}, 3),
        ({"type": "number", "maximum": -2}, -2),
        ({"type": "integer", "exclusiveMaximum": 0}, -1),
        ({"type": "integer"}, 1),
        ({"type": "string", "format": "date"}, "2026-01-31"),
        ({"type": "string", "minLength": 5}, "....."),
        ({"type": "array", "items": {"type": "string"}, "minItems": 2}, ["...", "..."]),
        ({"type": "array", "items": {"type": "string"}}, []),
    ],
)
def test_a_sample_keeps_the_bounds(schema: dict[str, object], value: object) -> None:
    """What is offered as an answer would be taken."""
    assert sample(schema, schema) == value


def test_errors_speak_of_commands(ruvon: Command, started: Starter) -> None:
    """What to do is said in commands and options, not in calls of the Python interface."""
    cancelled = started("Timer", {})
    ruvon("cancel", cancelled, *ROOTS)
    ended = ruvon("resume", cancelled, *ROOTS, "-i", "{}").err
    absent = ruvon("resume", "00000000-0000-4000-8000-000000000000").err
    ruvon(*GREET, "-d", '{"name": "Ada"}', "--key", "k")
    twice = ruvon(*GREET, "-d", '{"name": "Ada"}', "--key", "k").err

    assert "start a new one with `ruvon run`" in ended
    assert "name another database with --db" in absent
    assert "give another --key" in twice
    assert "()" not in ended + absent + twice


# --- looking ----------------------------------------------------------------------------------------------------------


def test_logs_of_a_step_that_is_not_there(ruvon: Command, started: Starter) -> None:
    """An unknown step ends with code 4 and the near one; a known one without entries shows nothing."""
    workflow_id = started("Greet", {"name": "Ada"})
    wrong = ruvon("logs", workflow_id, *ROOTS, "--step", "helo")
    right = ruvon("logs", workflow_id, *ROOTS, "--step", "hello", "--json")

    assert (wrong.code, "did you mean `hello`?" in wrong.err) == (4, True)
    assert (right.code, right.json) == (0, [])


@pytest.mark.parametrize(
    ("file", "begins"), [("x.svg", "<svg"), ("x.dot", "digraph"), ("x.mmd", "flowchart"), ("x.txt", "OrderProcessing")]
)
def test_the_suffix_chooses_the_drawing(ruvon: Command, place: Path, file: str, begins: str) -> None:
    """`graph -o x.svg` draws an SVG."""
    assert ruvon("graph", ORDER, "-o", file).code == 0
    assert (place / file).read_text().startswith(begins)


def test_a_format_wins_over_the_suffix(ruvon: Command, place: Path) -> None:
    """`--format` says what is drawn, whatever the file is called."""
    ruvon("graph", ORDER, "-o", "x.svg", "--format", "dot")

    assert (place / "x.svg").read_text().startswith("digraph")


def test_what_cannot_be_drawn_is_said(ruvon: Command, place: Path) -> None:
    """A picture format that nothing draws ends with the ones that are."""
    done = ruvon("graph", ORDER, "-o", "x.png")

    assert (done.code, ".svg" in done.err) == (2, True)
    assert not (place / "x.png").exists()
