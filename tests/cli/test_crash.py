"""`ruvon crash-test`: what it prints, how it ends, and what it says to mistakes."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import ORDER, ROOT, SMALL, Command, masked
from tests.support.golden import GOLDEN

FLOWS = "tests.support.kit_flows"
FEW = ("--seeds", "4", "--pairs", "4")
EXAMPLES = {
    "order": (ORDER, SMALL, ()),
    "order that is undone": (
        ORDER,
        {"order_id": "A-4", "customer": "Zoe in nowhere", "items": [{"sku": "mug", "quantity": 2, "price": "12.50"}]},
        (),
    ),
    "order by transfer": (
        ORDER,
        {
            "order_id": "A-5",
            "customer": "Ada, far away",
            "by_transfer": True,
            "items": [{"sku": "mug", "quantity": 1, "price": "9"}],
        },
        (
            "--script",
            json.dumps(
                {
                    "signals": [
                        {
                            "type": "Transfer",
                            "payload": {"reference": "T-9"},
                            "key": "A-5",
                            "after_s": 9 * 86_400,
                        }
                    ]
                }
            ),
        ),
    ),
    "loan": (
        "examples.loan_application.workflow:loan_application",
        {"application_id": "L-1", "applicant": "Grace", "amount": 60_000, "months": 48, "country": "US"},
        (
            "--workflows",
            str(ROOT / "examples" / "loan_application"),
            "--script",
            json.dumps(
                {"answers": {"loans.review": [{"approve": True, "max_amount": 40_000, "comment": "good enough"}]}}
            ),
        ),
    ),
    "terminal": (
        "examples.payment_terminal.workflow:pos_payment",
        {"sale_id": "S-1", "terminal_id": "T1", "card_token": "tok", "amount": 30},
        (),
    ),
}


UNWRITTEN = "tests.support.placeholder_flows"


def test_the_terminal_bears_every_crash_without_its_line(ruvon: Command, place: Path) -> None:
    """The offline path: the terminal decides alone, and the bank settles it an hour later."""
    (place / "offline.py").write_text(
        "from examples.payment_terminal.models import LineDown\n\nauthorise = LineDown('no route to the bank')\n"
    )
    settled = {"type": "Settlement", "payload": {"approved": True, "code": "B1"}, "key": "S-1", "after_s": 3600}
    target, data, _ = EXAMPLES["terminal"]

    done = ruvon(
        "crash-test", target, "-d", json.dumps(data), "--json", "--stubs", "offline.py",
        "--script", json.dumps({"signals": [settled]}), *FEW,
    )  # fmt: skip

    assert (done.code, done.json["ok"], done.json["status"], done.json["waits"]) == (0, True, "COMPLETED", []), (
        done.text
    )
    assert {item["step"] for item in done.json["steps"] if item["repeats"]} >= {"approve_offline", "queue_for_sync"}


def test_a_workflow_without_bodies_is_tried(ruvon: Command, place: Path) -> None:
    """Placeholders stand in for themselves; a file of stubs says what the others answer."""
    (place / "answers.py").write_text(
        "from tests.support.placeholder_flows import Cart\n\n_PAID = 'paid'\n\n\n"
        "def pay(state: Cart) -> str:\n    return f'{_PAID} {state.quoted}'\n"
    )

    alone = ruvon("crash-test", f"{UNWRITTEN}:unwritten", *FEW)
    told = ruvon("crash-test", f"{UNWRITTEN}:unwritten", "--stubs", "answers.py", "--json", *FEW)

    assert (alone.code, told.code) == (0, 0), alone.text + told.text
    assert "placeholders, each with a value of its declared type: check, pay, quote" in alone.out
    assert told.json["stood_in"] == ["check", "quote"]


def test_a_stub_for_no_step_is_a_sentence(ruvon: Command, place: Path) -> None:
    """With what was probably meant."""
    (place / "answers.py").write_text("qoute = 1\n")

    done = ruvon("crash-test", f"{UNWRITTEN}:unwritten", "--stubs", "answers.py", *FEW)

    assert (done.code, done.out) == (1, "")
    assert "there is no step `qoute` to stand in for; did you mean `quote`?" in done.err


def test_a_run_that_fails_by_itself_is_no_success(ruvon: Command, place: Path) -> None:
    """Exit code 1 and a sentence; unless somebody says that it may."""
    (place / "broken.py").write_text("book = ValueError('no')\n")
    options = ("--store", "sqlite", "--stubs", "broken.py", *FEW)

    done = ruvon("crash-test", f"{UNWRITTEN}:booked", *options)
    minded = ruvon("crash-test", f"{UNWRITTEN}:booked", "--may-fail", *options)

    assert (done.code, minded.code) == (1, 0), done.text + minded.text
    assert "it fails without any fault, so what comes behind was not tried" in done.out


def test_a_step_with_sql_wants_a_file(ruvon: Command) -> None:
    """The memory store has no SQL; the sentence names the option."""
    done = ruvon("crash-test", f"{UNWRITTEN}:booked", *FEW)

    assert (done.code, done.out) == (2, "")
    assert "--store sqlite" in done.err
    assert ruvon("crash-test", f"{UNWRITTEN}:booked", "--store", "sqlite", *FEW).code == 0


def test_a_body_that_never_awaits_is_named(ruvon: Command) -> None:
    """The command ends, with the step and where it is."""
    done = ruvon("crash-test", f"{UNWRITTEN}:busy_flow", "--patience", "0.5", *FEW)

    assert (done.code, done.out) == (1, "")
    assert "the body of `busy`" in done.err
    assert "placeholder_flows.py" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_bear_every_crash(ruvon: Command, name: str) -> None:
    """Each example passes, and every step of it was repeated."""
    target, data, options = EXAMPLES[name]

    done = ruvon("crash-test", target, "-d", json.dumps(data), "--json", *options, *FEW)

    assert done.code == 0, done.text
    assert done.json["ok"]
    assert [item["step"] for item in done.json["steps"] if not item["repeats"]] == []


def test_what_is_found_is_printed(ruvon: Command, place: Path, golden: Callable[[Path, str], None]) -> None:
    """The step, the reason and the command that repeats it; the exit code is 1."""
    done = ruvon("crash-test", f"{FLOWS}:appending", *FEW)

    assert done.code == 1
    golden(GOLDEN / "cli" / "crash_test.txt", masked(done.out, place))


def test_a_finding_is_replayed(ruvon: Command) -> None:
    """`--replay` runs the printed schedule alone, and finds the same."""
    (found,) = ruvon("crash-test", f"{FLOWS}:appending", "--json", *FEW).json["findings"]

    again = ruvon("crash-test", f"{FLOWS}:appending", "--json", "--replay", found["replay"])

    assert again.code == 1
    assert again.json["runs"] == 1
    assert [(item["what"], item["steps"]) for item in again.json["findings"]] == [(found["what"], found["steps"])]


def test_a_point_that_is_never_reached_is_no_success(ruvon: Command) -> None:
    """`--replay` of an old schedule tries nothing: it says so, and ends with 1, as where something was found."""
    done = ruvon("crash-test", f"{FLOWS}:sound", "--replay", "0.900:die-after")

    assert done.code == 1
    assert "never reached, so nothing was tried there: 0.900:die-after" in done.out
    assert "every run ended as it should" not in done.out
    told = ruvon("crash-test", f"{FLOWS}:sound", "--json", "--replay", "0.900:die-after").json
    assert (told["ok"], told["missed"]) == (False, ["0.900:die-after"])


def test_a_probe_and_its_reset(ruvon: Command, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--probe` looks at what no variable holds, `--reset` empties it before each run."""
    monkeypatch.setattr("tests.support.kit_flows.COUNTER", place / "counter.txt")
    look = ("--probe", f"{FLOWS}:counted", "--reset", f"{FLOWS}:forget_count")

    done = ruvon("crash-test", f"{FLOWS}:counting", *look, "--json", *FEW)

    assert done.code == 1
    assert f"{FLOWS}:counted is '2', without the fault it is '1'" in {item["what"] for item in done.json["findings"]}


def test_runs_in_files_leave_none(ruvon: Command, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--store sqlite` tears commits too, and its files are gone afterwards."""
    made: list[str] = []
    monkeypatch.setattr("tempfile.tempdir", str(place))
    monkeypatch.setattr("ruvon.cli._crash.shutil.rmtree", lambda path, **_: made.append(str(path)))

    memory = ruvon("crash-test", f"{FLOWS}:sound", "--json", *FEW)
    files = ruvon("crash-test", f"{FLOWS}:sound", "--store", "sqlite", "--json", *FEW)

    assert files.json["runs"] == memory.json["runs"] + memory.json["commits"]  # a torn one for each commit
    assert [list(Path(folder).iterdir()) for folder in made] == [[], []]
    for folder in made:
        Path(folder).rmdir()


def test_secrets_and_templates_are_those_of_other_commands(
    ruvon: Command, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret is an environment variable, a template is rendered."""
    (place / "renders.yaml").write_text(
        "workflow_type: Renders\n"
        "workflow_version: '1.0'\n"
        "initial_state_model: tests.support.kit_flows:Cart\n"
        "steps:\n"
        "  - name: Greet\n"
        "    function: tests.support.kit_flows.greet\n"
        "    inputs: {text: 'Hello {{ state.total | abs }}', key: '=secret(\"GREETING_KEY\")'}\n"
    )
    monkeypatch.setenv("GREETING_KEY", "k")

    done = ruvon("crash-test", "renders.yaml", "--json", *FEW)

    assert (done.code, done.json["status"]) == (0, "COMPLETED"), done.text


def test_what_steps_print_is_kept_out(ruvon: Command) -> None:
    """The report alone is printed, unless --show-output is given."""
    options = ("-d", json.dumps(EXAMPLES["order that is undone"][1]), "--seeds", "0", "--pairs", "0")

    assert "released" not in ruvon("crash-test", ORDER, *options).out
    assert "released" in ruvon("crash-test", ORDER, *options, "--show-output").out


def test_a_workflow_that_still_waits_says_so(ruvon: Command) -> None:
    """Without a script for its person, what comes behind is not tried, and the report says it."""
    done = ruvon("crash-test", f"{FLOWS}:asking", *FEW)

    assert done.code == 0
    assert "ends WAITING_HUMAN" in done.out
    assert "it still waits (human `consent`), so what comes behind was not tried" in done.out


MISTAKES = {
    "no JSON": (("--script", "{"), 2, "the script of the outside world cannot be read: it is no JSON"),
    "no object": (("--script", "[]"), 2, "it must be an object"),
    "unknown key": (("--script", '{"answer": {}}'), 2, "it has no key `answer`; it has answers, signals"),
    "stranger": (("--script", '{"answers": {"consnt": [{"given": true}]}}'), 2, "did you mean `consent`?"),
    "answers": (("--script", '{"answers": {"a": 1}}'), 2, "`a` must be a list"),
    "seconds": (("--script", '{"answer_after_s": "soon"}'), 2, "`answer_after_s` must be a number of seconds"),
    "no type": (("--script", '{"signals": [{}]}'), 2, "a signal needs `type`"),
    "unknown signal": (("--script", '{"signals": [{"type": "Nothing"}]}'), 2, "Nothing"),
    "bad answer": (("--script", '{"answers": {"consent": [{"given": "perhaps"}]}}'), 2, "given"),
    "no script file": (("--script", "@nowhere.json"), 2, "the script nowhere.json cannot be read: No such file"),
    "schedule": (("--replay", "0.1:explode"), 2, "`0.1:explode` is no part of a schedule"),
    "no probe": (("--probe", f"{FLOWS}:nothing"), 4, "nothing"),
    "probe is no function": (("--probe", f"{FLOWS}:LEDGER"), 2, "is no function"),
    "probe raises": (("--probe", f"{FLOWS}:broken_probe"), 1, "raised ZeroDivisionError: division by zero"),
    "foreign probe": (("--probe", "os:getcwd"), 1, "os"),
    "unknown data": (("-d", '{"totl": 1}'), 1, "totl"),
    "bad data": (("-d", '{"total": "many"}'), 1, "total"),
    "data is no JSON": (("-d", "{"), 2, "is no JSON"),
    "no such store": (("--store", "postgres"), 2, "memory"),
    "negative": (("--seeds", "-1"), 2, "-1"),
    "unknown task": (("--script", '{"answers": {"consnt": [{}]}}'), 2, "which nothing asks; did you mean `consent`?"),
    "no stubs": (("--stubs", "nowhere.py"), 2, "nowhere.py"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_sentence(ruvon: Command, name: str) -> None:
    """Script, schedule, probe and data: a sentence on standard error, the documented exit code, no traceback."""
    options, code, text = MISTAKES[name]

    done = ruvon("crash-test", f"{FLOWS}:buying", *options, "--seeds", "0") if name != "negative" else None
    done = done or ruvon("crash-test", f"{FLOWS}:buying", *options)

    assert done.code == code, done.text
    assert text in done.err
    assert done.out == ""
    assert "Traceback" not in done.err


def test_a_step_that_hangs_is_named(ruvon: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that awaits what nobody sets ends the command with its name."""
    monkeypatch.setattr("ruvon.testing._loop._PATIENCE_S", 0.05)

    done = ruvon("crash-test", f"{FLOWS}:stuck")

    assert done.code == 1
    assert "the body of `hang` probably awaits an event that nobody sets" in done.err


def test_an_unknown_target(ruvon: Command) -> None:
    """As with every command: exit code 4."""
    assert ruvon("crash-test", "Nobody").code == 4


def test_a_body_that_ends_the_process_is_told(ruvon: Command) -> None:
    """The command does not end with the body's code and no word."""
    done = ruvon("crash-test", f"{FLOWS}:leaving", *FEW)

    assert done.code == 1
    assert "a body ends the whole process (SystemExit 3)" in done.err
