"""`ruvon webhooks`: made, shown, changed and removed on a server, and what was sent to a receiver on loopback."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from litestar.testing import TestClient

import ruvon_server.client
from ruvon_server.client import Client
from tests.cli.conftest import Command
from tests.support.hooks import Receiver, hooked, receiving, settled

URL = "https://shop.example/hooks/ruvon"
NOTHING = "0123456789abcdef"


@pytest.fixture
def remote(ruvon: Command, monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    """A command line whose variable names a server in this process that sends webhooks."""
    with TestClient(hooked(), raise_server_exceptions=False) as http:
        monkeypatch.setattr(ruvon_server.client, "Client", lambda url, *, api_key: Client(http=http))
        monkeypatch.setenv("RUVON_SERVER_URL", "http://ruvon.test:8000")
        yield ruvon


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Wants nothing once, and everything from then on."""
    with receiving(410, 200) as found:
        yield found


def added(remote: Command, url: str = URL, *options: str) -> str:
    done = remote("webhooks", "add", url, *options, "--json")
    assert done.code == 0, done.text
    return str(done.json["webhook_id"])


def until(condition: Callable[[], bool]) -> None:
    asyncio.run(settled(condition))


def sent(remote: Command, hook: str, *options: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = remote("webhooks", "deliveries", hook, *options, "--json").json
    return found


def test_a_secret_is_alone_on_standard_output_once(remote: Command) -> None:
    """When a webhook is made and when it gets another one; a sentence beside it says so, and nothing shows it again."""
    made = remote("webhooks", "add", URL, "--event", "workflow.*", "--type", "Parcel", "--reason", "the shop")
    (listed,) = remote("webhooks", "list", "--json").json
    rotated = remote("webhooks", "rotate", listed["webhook_id"], "--overlap", "1h")

    assert (made.code, made.out[:6], made.out.count("\n")) == (0, "whsec_", 1), made.text
    assert made.err == f"the secret of the webhook {listed['webhook_id']} is shown this once:\n"
    assert (rotated.out[:6], rotated.out.count("\n"), rotated.out != made.out) == ("whsec_", 1, True)
    shown = remote("webhooks", "show", listed["webhook_id"]).text + remote("webhooks", "list", "--json").text
    assert [done.out.strip() in shown for done in (made, rotated)] == [False, False]
    assert remote("webhooks", "show", listed["webhook_id"], "--json").json["secrets"] == 2


def test_an_overlap_of_nothing_ends_the_old_secret(remote: Command) -> None:
    """After a theft."""
    hook = added(remote)

    assert remote("webhooks", "rotate", hook, "--overlap", "0s", "--json").json["secrets"] == 1


def test_webhooks_are_listed_newest_first_and_shown(remote: Command) -> None:
    """As a table, and as data with everything but the secret."""
    first, second = added(remote, URL, "--type", "Parcel", "--org", "acme"), added(remote, URL, "--event", "*")

    rows = remote("webhooks", "list", "--json").json
    table, newest = remote("webhooks", "list").out.splitlines(), remote("webhooks", "list", "--limit", "1", "--json")
    shown = remote("webhooks", "show", first).out

    assert [row["webhook_id"] for row in rows] == [second, first]
    assert newest.json == rows[:1]
    assert [(row["events"], row["workflow_types"], row["org_id"]) for row in rows] == [
        (["*"], [], None),
        (["workflow.*"], ["Parcel"], "acme"),
    ]
    assert table[0].startswith("webhook id        url ")
    assert table[2].split() == [first, URL, "workflow.*", "Parcel", "yes", "0", "-", "-", "acme"]
    assert [line.split() for line in shown.splitlines()[:2]] == [["webhook", "id", first], ["url", URL]]
    assert remote("webhooks", "show", first, "--json").json == rows[1]


def test_what_is_given_is_changed_and_the_rest_stays(remote: Command) -> None:
    """Also back to workflows of all types, and to no description."""
    hook = added(remote, URL, "--type", "Parcel", "--description", "the shop")

    one = remote("webhooks", "update", hook, "--event", "workflow.failed", "--event", "step.*", "--json").json
    other = remote("webhooks", "update", hook, "--all-types", "--description", "", "--url", f"{URL}/2", "--json").json

    assert (one["events"], one["workflow_types"], one["description"]) == (
        ["workflow.failed", "step.*"],
        ["Parcel"],
        "the shop",
    )
    assert (other["events"], other["workflow_types"], other["description"]) == (one["events"], [], "")
    assert (one["url"], other["url"]) == (URL, f"{URL}/2")


def test_one_is_switched_off_and_on(remote: Command) -> None:
    """With a reason that the changes of the server tell."""
    hook = added(remote, URL, "--disabled")

    on = remote("webhooks", "enable", hook, "--reason", "the shop is back")
    off = remote("webhooks", "disable", hook, "--json")
    refused = remote("webhooks", "test", hook)

    assert [line.split() for line in on.out.splitlines() if line.startswith("enabled")] == [["enabled", "yes"]]
    assert off.json["enabled"] is False
    assert (refused.code, "switched off" in refused.err) == (1, True), refused.text
    assert "the shop is back" in [row["reason"] for row in remote("changes", "--json").json]


def test_one_that_is_removed_is_gone(remote: Command) -> None:
    """The others stay."""
    gone, kept = added(remote), added(remote)

    done = remote("webhooks", "remove", gone)

    assert (done.code, done.out) == (0, f"{gone}: removed\n")
    assert [row["webhook_id"] for row in remote("webhooks", "list", "--json").json] == [kept]


def test_what_was_sent_is_listed_and_sent_again(remote: Command, receiver: Receiver) -> None:
    """One that was refused, with the answer; and again under the id of its event, by its number and by a moment."""
    hook = added(remote, receiver.url)
    asked = remote("webhooks", "test", hook)
    until(lambda: remote("webhooks", "show", hook, "--json").json["disabled_reason"] is not None)
    remote("webhooks", "enable", hook)
    table = remote("webhooks", "deliveries", hook).out.splitlines()

    replayed = remote("webhooks", "replay", hook, "1")
    until(lambda: len(sent(remote, hook, "--status", "delivered")) == 1)

    assert asked.out == f"{hook}: delivery 1 (webhook.test) is pending\n"
    assert table[1].split()[:6] == ["1", "webhook.test", "-", "failed", "1", "410"]
    assert replayed.out == f"{hook}: delivery 2 (webhook.test) is pending\n"
    assert [(item["number"], item["replay_of"]) for item in sent(remote, hook)] == [(2, 1), (1, None)]
    assert [item["number"] for item in sent(remote, hook, "--limit", "1")] == [2]
    assert receiver.ids[0] == receiver.ids[1]


def test_what_has_failed_since_a_moment_is_sent_again(remote: Command, receiver: Receiver) -> None:
    """Once: what was repeated is left out the next time."""
    hook = added(remote, receiver.url)
    remote("webhooks", "test", hook)
    until(lambda: remote("webhooks", "show", hook, "--json").json["disabled_reason"] is not None)
    remote("webhooks", "enable", hook)
    recover = ("webhooks", "recover", hook, "--since")

    late, first = remote(*recover, "2999-01-01T00:00:00Z"), remote(*recover, "2020-01-01T00:00:00+02:00", "--json")
    again = remote(*recover, "2020-01-01T00:00:00Z", "--reason", "the shop was down")

    assert late.out == f"{hook}: 0 to be sent again\n"
    assert first.json == {"replayed": 1}
    assert again.out == late.out
    until(lambda: len(receiver.came) == 2)


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (f"show {NOTHING}", 4, NOTHING),
        (f"remove {NOTHING}", 4, NOTHING),
        (f"enable {NOTHING}", 4, NOTHING),
        (f"deliveries {NOTHING}", 4, NOTHING),
        (f"update {NOTHING}", 2, "say what is to change"),
        (f"update {NOTHING} --type A --all-types", 2, "not both"),
        (f"recover {NOTHING} --since yesterday", 2, "no moment with a zone"),
        (f"recover {NOTHING} --since 2026-11-20T08:00:00", 2, "no moment with a zone"),
        ("add https://shop.example --event workflow.born", 2, "no event is called that"),
        ("add ftp://shop.example", 2, "url"),
        ("add https://127.0.0.1:1/hook --event *", 0, ""),
        ("add http://shop.example", 1, "https"),
    ],
)
def test_what_cannot_be_is_a_sentence(remote: Command, args: str, code: int, said: str) -> None:
    """Its exit code says whose mistake it is."""
    done = remote("webhooks", *args.split())

    assert (done.code, said in done.err) == (code, True), done.text


def test_a_delivery_that_there_is_not_cannot_be_replayed(remote: Command) -> None:
    """Exit code 4, and its number."""
    done = remote("webhooks", "replay", added(remote), "7")

    assert (done.code, "7" in done.err) == (4, True), done.text
