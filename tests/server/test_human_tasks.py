"""The human tasks room: the inbox, claims, answers, and approval links."""

from typing import Any

import pytest

from ruvon_server.settings import ServerSettings, ServerSettingsError
from tests.support.engine_world import JumpingClock
from tests.support.serving import Client, People, asked, new_app, new_builder, on_every_store, until

TASKS = "/api/v1/human-tasks"
KEY = "k" * 32
RUNS = "workflows:read,workflows:run"


def who(name: str, org: str | None = None, may: str = RUNS) -> dict[str, str]:
    """The headers of somebody who asks."""
    return {"X-Who": name, "X-May": may, **({"X-Org": org} if org is not None else {})}


def app(**settings: Any) -> Any:
    """A server of several people, with approval links."""
    return new_app(authenticator=People(), approval_key=KEY, **settings)


async def waiting(client: Client, kind: str = "Approval", number: str = "", **more: Any) -> dict[str, Any]:
    """The task of a workflow that was started for it."""
    body = {"workflow_type": kind, "data": {"number": number}, "wait_s": 10, **more}
    made = (await client.post("/api/v1/workflows", json=body)).json()
    items = (await client.get(TASKS)).json()["items"]
    found: dict[str, Any] = next(item for item in items if item["workflow_id"] == made["workflow_id"])
    return found


async def link_to(client: Client, task: dict[str, Any], **more: Any) -> str:
    """The path of an approval link."""
    body = {"answer": {"approved": True}, **more}
    answer = await client.post(f"{TASKS}/{task['task_id']}/links", json=body)
    assert answer.status_code == 201, answer.text
    url: str = answer.json()["url"]
    return url


@on_every_store
def test_the_inbox_has_what_waits_for_a_person() -> None:
    """A task has its name, what is shown, and the form of the answer."""
    found = asked(lambda client: waiting(client, number="A-1"), app())

    assert (found["name"], found["show"]) == ("finance.approve", {"number": "A-1"})
    assert found["form"]["required"] == ["approved"]


@on_every_store
def test_the_inbox_is_narrowed() -> None:
    """By role, person, name, type and claim; newest workflows first."""
    wanted = {
        "role=legal": ["legal.review"],
        "assignee=bob": ["legal.review"],
        "name=finance.approve": ["finance.approve"],
        "workflow_type=Review": ["legal.review"],
        "role=finance": [],
        "claimed_by=bob": [],
        "unclaimed=true": ["legal.review", "finance.approve"],
    }

    async def talk(client: Client) -> dict[str, list[str]]:
        await waiting(client)
        await waiting(client, "Review", "bob")
        answers = {query: await client.get(f"{TASKS}?{query}") for query in wanted}
        return {query: [item["name"] for item in answer.json()["items"]] for query, answer in answers.items()}

    assert asked(talk, app()) == wanted


@on_every_store
def test_the_inbox_is_read_in_pages() -> None:
    """`next_cursor` goes on behind the last workflow, until there is none."""

    async def talk(client: Client) -> list[str]:
        seen: list[str] = []
        for number in ("1", "2", "3"):
            await waiting(client, number=number)
        page = (await client.get(f"{TASKS}?limit=2")).json()
        seen += [item["show"]["number"] for item in page["items"]]
        page = (await client.get(TASKS, params={"limit": 2, "cursor": page["next_cursor"]})).json()
        seen += [item["show"]["number"] for item in page["items"]]
        return [*seen, page["next_cursor"]]

    assert asked(talk, app()) == ["3", "2", "1", None]


@on_every_store
def test_an_answer_lets_the_workflow_go_on() -> None:
    """The answer is passed on, and the task waits no more."""

    async def talk(client: Client) -> tuple[Any, int]:
        task = await waiting(client)
        path = f"{TASKS}/{task['task_id']}"
        answer = await client.post(f"{path}/answer", json={"answer": {"approved": True}, "reason": "fine"})
        assert answer.status_code == 200, answer.text
        ended = await until(client, task["workflow_id"], "COMPLETED")
        return ended["result"], (await client.get(path)).status_code

    assert asked(talk, app()) == ("yes", 404)


def test_an_answer_that_does_not_fit_leaves_the_task() -> None:
    """It is refused with the reason, and the task waits on."""

    async def talk(client: Client) -> tuple[int, str, int]:
        path = f"{TASKS}/{(await waiting(client))['task_id']}"
        answer = await client.post(f"{path}/answer", json={"answer": {"approved": "perhaps"}})
        return answer.status_code, answer.json()["code"], (await client.get(path)).status_code

    assert asked(talk, app()) == (422, "invalid-input", 200)


@on_every_store
def test_a_claimed_task_is_nobody_elses() -> None:
    """Claiming again is harmless; others can neither claim nor answer it."""

    async def talk(client: Client) -> list[Any]:
        path = f"{TASKS}/{(await waiting(client))['task_id']}"
        claims = [await client.post(f"{path}/claim", headers=who(name)) for name in ("anna", "anna", "bob")]
        answer = await client.post(f"{path}/answer", json={"answer": {"approved": True}}, headers=who("bob"))
        owner = (await client.get(path)).json()["claimed_by"]
        return [*(item.status_code for item in claims), answer.status_code, answer.json()["code"], owner]

    assert asked(talk, app()) == [200, 200, 409, 409, "task-of-another", "anna"]


@on_every_store
@pytest.mark.parametrize(
    ("headers", "body", "status", "left"),
    [
        (who("anna"), {}, 200, None),
        (who("bob"), {}, 409, "anna"),
        (who("bob"), {"force": True}, 409, "anna"),
        (who("chief", may=f"{RUNS},workflows:repair"), {"force": True}, 200, None),
    ],
)
def test_a_task_is_given_back_by_whoever_has_it(
    headers: dict[str, str], body: dict[str, Any], status: int, left: str | None
) -> None:
    """Or by force, which takes the permission to repair."""

    async def talk(client: Client) -> tuple[int, Any]:
        path = f"{TASKS}/{(await waiting(client))['task_id']}"
        await client.post(f"{path}/claim", headers=who("anna"))
        answer = await client.post(f"{path}/release", json=body, headers=headers)
        return answer.status_code, (await client.get(path)).json()["claimed_by"]

    assert asked(talk, app()) == (status, left)


@on_every_store
def test_a_task_for_one_person_is_not_answered_by_another() -> None:
    """`assignee` is the one who may answer."""

    async def talk(client: Client) -> list[int]:
        path = f"{TASKS}/{(await waiting(client, 'Review', 'bob'))['task_id']}/answer"
        body = {"answer": {"approved": True}}
        legal = [{**who(name), "X-Roles": "legal"} for name in ("anna", "bob")]
        return [(await client.post(path, json=body, headers=headers)).status_code for headers in legal]

    assert asked(talk, app()) == [409, 200]


@on_every_store
def test_a_task_of_another_tenant_is_not_there() -> None:
    """It is in no list and under no path."""

    async def talk(client: Client) -> tuple[list[Any], list[int]]:
        task = await waiting(client, org_id="ours")
        path, theirs = f"{TASKS}/{task['task_id']}", who("eve", "theirs")
        answers = [
            await client.get(path, headers=theirs),
            await client.post(f"{path}/claim", headers=theirs),
            await client.post(f"{path}/release", json={}, headers=theirs),
            await client.post(f"{path}/answer", json={"answer": {"approved": True}}, headers=theirs),
            await client.post(f"{path}/links", json={"answer": {"approved": True}}, headers=theirs),
        ]
        listed = (await client.get(TASKS, headers=theirs)).json()["items"]
        return listed, [item.status_code for item in answers]

    assert asked(talk, app()) == ([], [404] * 5)


@pytest.mark.parametrize("task_id", ["nothing", "AAAA", "!!!", "Zm9v" * 600])
def test_an_id_that_is_none_is_not_there(task_id: str) -> None:
    """Whatever stands in the path, it is answered with 404 or as a request that does not fit."""

    async def talk(client: Client) -> int:
        return (await client.get(f"{TASKS}/{task_id}")).status_code

    assert asked(talk, app()) in {404, 422}


@on_every_store
def test_opening_a_link_does_nothing() -> None:
    """It says what it would do, and the task waits on."""

    async def talk(client: Client) -> tuple[Any, Any]:
        task = await waiting(client, number="A-1")
        url = await link_to(client, task, recipient="bob")
        view = (await client.get(url)).json()
        return view, (await client.get(f"{TASKS}/{task['task_id']}")).status_code

    view, left = asked(talk, app())

    assert (view["is_open"], view["show"], view["answer"]) == (True, {"number": "A-1"}, {"approved": True})
    assert left == 200


@on_every_store
def test_a_link_is_of_use_once() -> None:
    """The first POST answers the task; the second finds nothing to answer, and so does any other link."""

    async def talk(client: Client) -> tuple[list[int], Any, bool]:
        task = await waiting(client)
        url, other = await link_to(client, task), await link_to(client, task, answer={"approved": False})
        statuses = [(await client.post(path)).status_code for path in (url, url, other)]
        ended = await until(client, task["workflow_id"], "COMPLETED")
        return statuses, ended["result"], (await client.get(url)).json()["is_open"]

    assert asked(talk, app()) == ([200, 409, 409], "yes", False)


@pytest.mark.parametrize("is_used", [True, False])
@on_every_store
def test_a_link_is_about_one_question(*, is_used: bool) -> None:
    """One that was asked, answered and, after a rewind, asked again is another one, whoever has answered."""

    async def talk(client: Client) -> tuple[int, Any, str, int]:
        task = await waiting(client)
        url, run = await link_to(client, task), f"/api/v1/workflows/{task['workflow_id']}"
        body = {"answer": {"approved": True}}
        await (client.post(url) if is_used else client.post(f"{TASKS}/{task['task_id']}/answer", json=body))
        await until(client, task["workflow_id"], "COMPLETED")
        rewound = await client.post(f"{run}/rewind", json={"to": task["step"]})
        assert rewound.status_code == 200, rewound.text
        view, again = await client.get(url), await client.post(url)
        status = (await until(client, task["workflow_id"], "WAITING_HUMAN"))["status"]
        return (
            again.status_code,
            view.json()["is_open"],
            status,
            (await client.post(await link_to(client, task))).status_code,
        )

    assert asked(talk, app()) == (409, False, "WAITING_HUMAN", 200)


def test_a_browser_gets_a_page_with_a_button() -> None:
    """The page shows the task without letting its text be markup, and runs no program."""

    async def talk(client: Client) -> Any:
        url = await link_to(client, await waiting(client, number="<script>alert(1)</script>"))
        return await client.get(url, headers={"Accept": "text/html"})

    page = asked(talk, app())

    assert page.headers["Content-Type"].startswith("text/html")
    assert "<script" not in page.text
    assert '<form method="post">' in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


@on_every_store
def test_the_time_of_a_link_ends() -> None:
    """Then it can neither be shown nor used."""
    clock = JumpingClock()

    async def talk(client: Client) -> list[Any]:
        url = await link_to(client, await waiting(client), expires_in_s=60)
        clock.advance(60_000_000)
        answers = [await client.get(url), await client.post(url)]
        return [(item.status_code, item.json()["code"]) for item in answers]

    made = new_app(new_builder(clock=clock), authenticator=People(), approval_key=KEY)

    assert asked(talk, made) == [(410, "link-expired")] * 2


@pytest.mark.parametrize("change", ["", "x", ".", "body", "signature"])
def test_a_link_that_was_changed_is_none(change: str) -> None:
    """Nothing of it can be left out, added or changed."""

    async def talk(client: Client) -> list[int]:
        url = await link_to(client, await waiting(client))
        head, _, token = url.rpartition("/")
        body, _, signature = token.partition(".")
        text = {
            "": body,
            "x": f"{token}x",
            ".": f"{body}.",
            "body": f"{body[:-4]}AAAA.{signature}",
            "signature": f"{body}.{'A' * len(signature)}",
        }[change]
        return [(await client.request(method, f"{head}/{text}")).status_code for method in ("GET", "POST")]

    assert asked(talk, app()) == [404, 404]


def test_a_link_of_another_key_is_none() -> None:
    """A server with another key knows nothing of it."""
    builder = new_builder()

    async def made(client: Client) -> str:
        return await link_to(client, await waiting(client))

    url = asked(made, new_app(builder, approval_key="other" * 8))

    assert asked(lambda client: _status(client, url), app()) == 404


async def _status(client: Client, url: str) -> int:
    return (await client.post(url)).status_code


def test_a_link_whose_answer_does_not_fit_is_not_made() -> None:
    """The mistake is told to whoever makes it, not to whoever gets it."""

    async def talk(client: Client) -> tuple[int, str]:
        path = f"{TASKS}/{(await waiting(client))['task_id']}/links"
        answer = await client.post(path, json={"answer": {"approved": "perhaps"}})
        return answer.status_code, answer.json()["code"]

    assert asked(talk, app()) == (422, "invalid-input")


def test_without_a_key_there_are_no_links() -> None:
    """They are neither made nor read."""

    async def talk(client: Client) -> list[str]:
        path = f"{TASKS}/{(await waiting(client))['task_id']}/links"
        answers = [
            await client.post(path, json={"answer": {"approved": True}}),
            await client.get("/api/v1/approvals/a.b"),
        ]
        return [item.json()["code"] for item in answers]

    assert asked(talk, new_app()) == ["links-off", "links-off"]


def test_the_server_is_named_in_links_where_it_is_known() -> None:
    """`public_url` stands before the path."""

    async def talk(client: Client) -> str:
        return await link_to(client, await waiting(client))

    assert asked(talk, app(public_url="https://flows.example.org/")).startswith("https://flows.example.org/api/v1/")


def test_a_key_that_is_too_short_is_refused_without_saying_it() -> None:
    """The sentence names the setting, not its value."""
    with pytest.raises(ServerSettingsError, match="approval_key") as caught:
        ServerSettings.from_environment({"RUVON_SERVER_APPROVAL_KEY": "hunter2"})

    assert "hunter2" not in str(caught.value)
