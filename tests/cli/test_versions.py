"""`ruvon definitions`, `ruvon migrate` and `ruvon validate --against`."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Command, masked
from tests.support.golden import GOLDEN

SHOP = """
from pydantic import BaseModel

from ruvon import compensate, human, step, workflow


class Order(BaseModel):
    total: int = 0
    code: str = ""


class Answer(BaseModel):
    ok: bool


@step
async def charge(state: Order, amount: int) -> int:
    state.total += amount
    return amount


@compensate(charge)
async def refund(state: Order, result: int, amount: int) -> None:
    state.total -= amount


@step
async def note(state: Order, text: str) -> None:
    state.code += text


@workflow("Shop", version="1.0.0", saga=True)
async def shop(state: Order) -> int:
    paid = await charge(state, amount=10)
    if state.total > 100:
        await human("audit", form=Answer)
    await human("approve", form=Answer)
    return paid
"""
NEW = (
    ('version="1.0.0"', 'version="1.1.0"'),
    ("> 100", "> 500"),
    ("    return paid", '    await note(state, text="n")\n    return paid'),
)
WITHOUT_AUDIT = (
    ('version="1.0.0"', 'version="1.2.0"'),
    (
        '    if state.total > 100:\n        await human("audit", form=Answer)\n    await human("approve", form=Answer)\n',
        "",
    ),
    ("    return paid", "    last = await human('sign')\n    return paid"),
)
Deploy = Callable[..., None]


@pytest.fixture
def deploy(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deploy]:
    """Write the shop's code, with changes; as in a process that begins anew, nothing of the old is loaded."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(*changes: tuple[str, str]) -> None:
        sys.modules.pop("shop", None)
        text = SHOP
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (place / "shop.py").write_text(text)

    write()
    yield write
    sys.modules.pop("shop", None)


@pytest.fixture
def begin(ruvon: Command, deploy: Deploy) -> Callable[..., list[str]]:
    """Start runs of the first version; they wait."""
    del deploy

    def start(*totals: int) -> list[str]:
        given = [json.dumps({"total": total}) for total in totals]
        return [ruvon("run", "shop.py", "-d", data, "--json").json["workflow_id"] for data in given]

    return start


Begin = Callable[..., list[str]]


# definitions


def test_every_stored_version_is_listed_with_its_runs(ruvon: Command, begin: Begin, deploy: Deploy) -> None:
    """Who waits and who has ended, by version."""
    runs = begin(0, 0)
    ruvon("cancel", runs[0])
    deploy(*NEW)
    ruvon("run", "shop.py", "-d", "{}")

    rows = ruvon("definitions", "list", "--json").json
    table = ruvon("definitions", "list", "--type", "Shop").out

    counts = [(row["version"], row["running"], row["waiting"], row["ended"]) for row in rows]
    assert counts == [("1.0.0", 0, 1, 1), ("1.1.0", 0, 1, 0)]
    assert rows[0]["digest"][:12] in table
    assert ruvon("definitions", "list", "--type", "Other", "--json").json == []


def test_a_stored_definition_is_shown(ruvon: Command, begin: Begin, place: Path) -> None:
    """By version or digest, as text, as a drawing, or as source; none of the code is needed."""
    begin(0)
    (place / "shop.py").unlink()
    digest = ruvon("definitions", "list", "--json").json[0]["digest"]

    text = ruvon("definitions", "show", "Shop@1.0.0")

    assert "when state.total > 100 -> human" in text.out
    assert ruvon("definitions", "show", digest[:8]).out == text.out
    assert "◆ charge.route" in ruvon("definitions", "show", digest, "--format", "graph").out
    assert json.loads(ruvon("definitions", "show", digest, "--format", "json").out)["digest"] == digest
    assert "workflow_type: Shop" in ruvon("definitions", "show", digest, "--format", "yaml").out
    assert "<svg" in ruvon("definitions", "show", digest, "--format", "svg").out


@pytest.mark.parametrize(
    ("reference", "code", "says"),
    [
        ("Shop@9", 4, "no Shop of version 9 is stored"),
        ("Ship@1.0.0", 4, "no definition of a Ship is stored; see `ruvon definitions list --db ruvon.db`"),
        ("Shop", 4, "the database has `Shop@1.0.0`, `Shop@1.1.0`"),
        ("Ship", 4, "there is no file and no workflow type `Ship`"),
        ("abcdef99", 4, "no stored definition has a digest that begins with abcdef99"),
        ("nowhere.py", 4, "there is no file nowhere.py"),
    ],
)
def test_a_definition_that_is_not_there(
    ruvon: Command, begin: Begin, deploy: Deploy, reference: str, code: int, says: str
) -> None:
    """The exit code of what is not found, and where to look."""
    begin(0)
    deploy(*NEW)
    begin(0)

    done = ruvon("definitions", "show", reference, "--db", "ruvon.db")

    assert (done.code, says in done.err) == (code, True), done.err


def test_a_type_that_is_nowhere_needs_no_database(ruvon: Command, place: Path) -> None:
    """What is not stored because nothing is stored is said as such, and no file is made."""
    done = ruvon("definitions", "show", "Shop")

    assert (done.code, "the database" in done.err, list(place.glob("*.db"))) == (4, False, [])


def test_a_version_that_was_stored_twice_is_named_by_its_digest(ruvon: Command, begin: Begin, deploy: Deploy) -> None:
    """Code was changed, and its version was not."""
    begin(0)
    deploy(("> 100", "> 200"))
    ruvon("run", "shop.py", "-d", "{}")

    done = ruvon("definitions", "show", "Shop@1.0.0")

    assert done.code == 2
    for row in ruvon("definitions", "list", "--json").json:
        assert row["digest"][:12] in done.err


def test_a_difference_is_said_in_words(
    ruvon: Command, begin: Begin, deploy: Deploy, place: Path, golden: Callable[[Path, str], None]
) -> None:
    """Exit code 1, as `diff` has it."""
    begin(0)
    deploy(*NEW)

    done = ruvon("definitions", "diff", "Shop@1.0.0", "shop.py")

    assert done.code == 1
    golden(GOLDEN / "cli" / "definitions_diff.txt", masked(done.out, place))


def test_a_difference_as_data(ruvon: Command, begin: Begin, deploy: Deploy) -> None:
    """Every change has its area, kind, subject and both texts."""
    begin(0)
    deploy(("> 100", "> 200"))

    done = ruvon("definitions", "diff", "Shop@1.0.0", "shop.py", "--json")

    assert done.code == 1
    assert done.json["changes"] == [
        {
            "area": "edge",
            "kind": "changed",
            "subject": "charge.route",
            "field": "routes.1",
            "before": "if state.total > 100 -> human",
            "after": "if state.total > 200 -> human",
        }
    ]


def test_definitions_that_mean_the_same(ruvon: Command, deploy: Deploy, place: Path) -> None:
    """A comment is no difference, and two files need no database."""
    deploy()
    (place / "shop_yaml.yaml").write_text(ruvon("convert", "shop.py", "--to", "yaml").out)

    done = ruvon("definitions", "diff", "shop.py", "shop_yaml.yaml")

    assert (done.code, "mean the same" in done.out) == (0, True), done.text


# migrate


def test_a_plan_counts_what_would_move_and_why_others_would_not(ruvon: Command, begin: Begin, deploy: Deploy) -> None:
    """Nothing is changed by it."""
    runs = begin(0, 200, 0)
    deploy(*WITHOUT_AUDIT)

    done = ruvon("migrate", "plan", "Shop", "--to", "shop.py")
    data = ruvon("migrate", "plan", "Shop", "--to", "shop.py", "--json").json

    assert done.code == 1
    assert "3 stay as they are" in done.out
    assert "2 x it stands at `human_2`, which is not there any more" in done.out
    assert data["counts"] == {"skipped": 3}
    assert data["reasons"] == {
        "it stands at `human_2`, which is not there any more": 2,
        "`human` asked for 'audit', it asks for 'sign' now": 1,
    }
    assert ruvon("show", runs[0], "--json").json["workflow_version"] == "1.0.0"


def test_a_plan_of_what_all_can_be_moved(ruvon: Command, begin: Begin, deploy: Deploy) -> None:
    """Exit code 0; a run that ended and one of the new version are no part of it."""
    runs = begin(0, 0)
    ruvon("cancel", runs[0])
    deploy(*NEW)
    ruvon("run", "shop.py", "-d", "{}")

    done = ruvon("migrate", "plan", "Shop", "--to", "shop.py", "--json")

    assert done.code == 0
    assert [row["workflow_id"] for row in done.json["runs"]] == [runs[1]]


def test_one_run_is_checked(ruvon: Command, begin: Begin, deploy: Deploy) -> None:
    """Where it stands, and what stands against it."""
    run = begin(0)[0]
    deploy(*NEW)
    good = ruvon("migrate", "check", run, "--to", "shop.py")
    deploy(*WITHOUT_AUDIT)
    bad = ruvon("migrate", "check", run[:8], "--to", "shop.py")
    data = ruvon("migrate", "check", run, "--to", "shop.py", "--json").json

    assert (good.code, "can be moved to Shop 1.1.0" in good.out) == (0, True)
    assert (bad.code, "cannot be moved to Shop 1.2.0" in bad.out) == (1, True)
    assert (data["stands"], data["movable"]) == (["human_2"], False)
    assert "it stands at `human_2`, which is not there any more" in data["problems"]


def test_runs_are_moved_and_go_on(ruvon: Command, begin: Begin, deploy: Deploy) -> None:
    """Who and why are in the history; the rest is the new definition's."""
    run = begin(0)[0]
    deploy(*NEW)

    done = ruvon("migrate", "apply", "Shop", "--to", "shop.py", "--yes", "--actor", "ann", "--reason", "notes")
    ended = ruvon("resume", run, "-i", '{"ok": true}', "--auto", "--json").json

    assert (done.code, "1 moved to Shop 1.1.0" in done.out) == (0, True), done.text
    assert (ended["status"], ended["workflow_version"]) == ("COMPLETED", "1.1.0")
    rows = ruvon("logs", run, "--json").json
    assert [row["note"].rpartition(")")[2] for row in rows if row["kind"] == "repair"] == [" by ann: notes"]
    assert [row["step"] for row in rows if row["kind"] == "step"] == ["charge", "note"]
    assert "created     Shop 1.0.0" in ruvon("logs", run).out  # what it was then
    assert "created     Shop 1.0.0" in ruvon("show", run, "--logs").out


def test_a_move_is_shown_and_asked_about(ruvon: Command, begin: Begin, deploy: Deploy) -> None:
    """Without a yes nothing is changed."""
    run = begin(0)[0]
    deploy(*NEW)

    refused = ruvon("migrate", "apply", "Shop", "--to", "shop.py", given="n\n")
    tried = ruvon("migrate", "apply", "Shop", "--to", "shop.py", "--dry-run", "--json")

    assert (refused.code, "move 1 run to Shop 1.1.0" in refused.out) == (1, True), refused.text
    assert (tried.json["dry_run"], tried.json["counts"]) == (True, {"planned": 1})
    assert ruvon("show", run, "--json").json["workflow_version"] == "1.0.0"


def test_only_runs_that_fit_the_filters_are_moved(ruvon: Command, begin: Begin, deploy: Deploy) -> None:
    """By the step that they stand at."""
    begin(0, 200)
    deploy(*NEW)

    done = ruvon("migrate", "apply", "Shop", "--to", "shop.py", "--step", "human", "--yes", "--json").json

    assert done["counts"] == {"done": 1}
    versions = sorted(row["workflow_version"] for row in ruvon("list", "--json").json)
    assert versions == ["1.0.0", "1.1.0"]


def test_a_move_is_taken_back(ruvon: Command, begin: Begin, deploy: Deploy) -> None:
    """To the stored definition, by its version."""
    run = begin(0)[0]
    deploy(*NEW)
    ruvon("migrate", "apply", "Shop", "--to", "shop.py", "--yes")

    back = ruvon("migrate", "apply", "Shop", "--to", "Shop@1.0.0", "--yes")

    assert back.code == 0, back.text
    assert ruvon("show", run, "--json").json["workflow_version"] == "1.0.0"


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (("apply", "Shop", "--to", "shop.py", "--json"), 2, "add --yes"),
        (("plan", "Shop"), 2, "--to"),
        (("plan", "Ship", "--to", "shop.py"), 4, "no workflow `Ship`"),
        (("plan", "Ship", "--to", "Shop@1.0.0"), 2, "is a Shop, not a Ship"),
        (("check", "00000000-0000-0000-0000-000000000000", "--to", "shop.py"), 4, "there is no run"),
        (("plan", "Shop", "--to", "shop.py", "--db", "other.db"), 3, "there is no database"),
    ],
    ids=["no-yes", "no-to", "no-type", "other-type", "no-run", "no-database"],
)
def test_a_migration_that_is_asked_for_wrongly(
    ruvon: Command, begin: Begin, args: tuple[str, ...], code: int, says: str
) -> None:
    """Exit codes as everywhere."""
    begin(0)

    done = ruvon("migrate", *args)

    assert (done.code, says in " ".join(done.err.split())) == (code, True), done.text


# validate --against


def test_a_change_that_touches_no_run_is_sound(ruvon: Command, begin: Begin, deploy: Deploy) -> None:
    """Most changes: live runs keep their definition."""
    begin(0)
    deploy(*NEW)

    done = ruvon("validate", "shop.py", "--against", "ruvon.db")

    assert (done.code, "1 workflow in 1 file: sound" in done.out) == (0, True), done.text


def test_what_would_break_for_live_runs_is_found(
    ruvon: Command, begin: Begin, deploy: Deploy, place: Path, golden: Callable[[Path, str], None]
) -> None:
    """Code that they need, a field that has values, a step that they stand at."""
    begin(0, 200)
    deploy(
        *WITHOUT_AUDIT,
        ('    code: str = ""\n', ""),
        ("    state.code += text\n", "    ...\n"),
        ("async def charge(state: Order, amount: int)", "async def charge(state: Order, amount: int, currency: str)"),
        ("charge(state, amount=10)", 'charge(state, amount=10, currency="EUR")'),
    )

    done = ruvon("validate", "shop.py", "--against", "ruvon.db")

    assert done.code == 1
    golden(GOLDEN / "cli" / "validate_against.txt", masked(done.out, place))


@pytest.mark.parametrize("form", ["json", "sarif", "github"])
def test_findings_about_live_runs_have_the_usual_forms(ruvon: Command, begin: Begin, deploy: Deploy, form: str) -> None:
    """A warning stops nothing unless it is asked to."""
    begin(0)
    deploy(*NEW, ('    code: str = ""\n', ""), ("    state.code += text\n", "    ...\n"))

    done = ruvon("validate", "shop.py", "--against", "ruvon.db", "--format", form)

    assert (done.code, "RV0903" in done.out, "shop.py" in done.out) == (0, True, True), done.text
    assert ruvon("validate", "shop.py", "--against", "ruvon.db", "--strict").code == 1


def test_a_check_against_runs_needs_the_code_and_a_database(ruvon: Command, deploy: Deploy) -> None:
    """The codes of usage and of the database."""
    deploy()

    assert ruvon("validate", "shop.py", "--against", "ruvon.db").code == 3
    assert ruvon("validate", "shop.py", "--against", "ruvon.db", "--no-import").code == 2
