"""interactive run, and `start -i`: questions by schema, answers through a pipe."""

from tests.cli.conftest import FLOWS, Command

GREET = ("interactive", "run", str(FLOWS), "--workflow", "Greet")
DATA = ["Ada", "", "", "", "", "", "", ""]
"""name, then every other field of Guest left as it is."""


def _lines(*answers: str) -> str:
    return "\n".join(answers) + "\n"


def test_a_whole_conversation(ruvon: Command) -> None:
    """Initial data, a person's form and a signal are asked for, and the run completes."""
    done = ruvon(*GREET, "--json", given=_lines(*DATA, "yes", "7", "12"))

    assert done.code == 0, done.text
    assert done.json["status"] == "COMPLETED"
    assert "guest.answer" in done.err


def test_defaults_and_every_kind_of_field(ruvon: Command) -> None:
    """Text, flag, choice, number, decimal and JSON are read as what they are; defaults are shown."""
    answers = ["Ada", "yes", "bad", "41", "s3cret", "12.345678901234567890", '["a", "b"]', "note"]
    done = ruvon(*GREET, "--json", given=_lines(*answers))
    workflow_id = ruvon("list", "--json").json[0]["workflow_id"]

    state = ruvon("show", workflow_id, "--import-root", str(FLOWS.parent), "--json").json["state"]
    assert done.code == 1
    assert (state["loud"], state["mood"], state["age"], state["tags"]) == (True, "bad", 41, ["a", "b"])
    assert (state["price"], state["token"]) == ("12.345678901234567890", "***")
    assert "mood (good | bad) [good]" in done.err
    assert "the input ended before `ok`" in done.err


def test_an_unreadable_answer_is_asked_again(ruvon: Command) -> None:
    """A word where a number belongs is explained, and the same field asked again."""
    done = ruvon(*GREET, given=_lines("Ada", "perhaps", "no", "merry", "good", "old", "3", "", "", "[", "[]", ""))

    for complaint in ("neither yes nor no", "none of good, bad", "no integer", "no JSON"):
        assert complaint in done.err


def test_a_refused_field_is_asked_again(ruvon: Command) -> None:
    """What the model refuses is explained, and only the fields concerned are asked again."""
    data = ["Ada", "", "", "-1", "", "", "", "", "5"]
    done = ruvon(*GREET, "--json", given=_lines(*data, "yes", "1", "7", "12"))

    assert done.code == 0, done.text
    assert "`state.age`" in done.err
    assert "`input.number` should be greater than 3" in done.err


def test_given_data_is_not_asked_for(ruvon: Command) -> None:
    """Fields that -d gives are left out of the questions."""
    done = ruvon(*GREET, "-d", '{"name": "Ada", "mood": "bad"}', "--json", given=_lines(*[""] * 6, "y", "9", "1"))

    assert done.code == 0, done.text
    assert "name" not in done.err.split("waits for")[0].replace("name: Ada", "")


def test_a_childs_person_is_asked_too(ruvon: Command) -> None:
    """A form of a child's step is asked for in the parent's conversation."""
    done = ruvon(
        "interactive", "run", str(FLOWS), "--workflow", "Outer", "--workflows", str(FLOWS), "--json",
        given=_lines(*DATA, "y", "9", "1"),
    )  # fmt: skip

    assert done.code == 0, done.text
    assert done.json["workflow_type"] == "Outer"
    assert done.json["status"] == "COMPLETED"


def test_start_asks_too(ruvon: Command) -> None:
    """`start -i` asks for the initial data and starts with it."""
    done = ruvon("start", str(FLOWS), "--workflow", "Greet", "-i", "--json", given=_lines(*DATA))

    assert done.code == 0, done.text
    assert done.json["current_step"] == "hello"


def test_the_end_of_the_input_is_no_traceback(ruvon: Command) -> None:
    """Answers that end too early end the command with a sentence that names the field."""
    done = ruvon(*GREET, given="")

    assert done.code == 1
    assert "the input ended before `name` was answered" in done.err


def test_data_and_input_without_a_schema(ruvon: Command) -> None:
    """A workflow without a state class is asked for one JSON object, and input without a type is taken as it is."""
    flow = str(FLOWS.parent / "cli_steps.yaml")
    done = ruvon("interactive", "run", flow, "--json", given=_lines("[]", '{"a": 1}', "", "me"))

    assert done.json["status"] in {"COMPLETED", "ACTIVE"}, done.text
