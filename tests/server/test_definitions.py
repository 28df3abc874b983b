"""The definitions room: each operation over HTTP, in process."""

import json
from pathlib import Path
from typing import Any

import pytest

from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.ir import dump
from ruvon_server.auth import Principal
from tests.support.serving import Client, asked, new_app, new_builder, served

DEFINITIONS = "/api/v1/definitions"
HELLO = """workflow_type: Hello
workflow_version: {version}
steps:
  - name: greet
    type: ASSIGN
    target: greeting
    value: {value}
  - name: finish
    type: RETURN
    value: =greeting
"""


def hello(version: str = "1.0.0", value: str = "hello", **more: Any) -> dict[str, Any]:
    """The body of an upload."""
    return {"source": HELLO.format(version=version, value=value), **more}


async def got(client: Client, path: str, **params: Any) -> Any:
    answer = await client.get(f"{DEFINITIONS}{path}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_every_registered_type_is_listed() -> None:
    """Types that files define are there, current, before anything was started."""

    async def talk(client: Client) -> Any:
        return await got(client, "")

    items = {item["workflow_type"]: item for item in asked(talk)["items"]}

    assert {"Greeting", "Approval"} <= items.keys()
    assert (items["Greeting"]["is_current"], items["Greeting"]["by_files"], items["Greeting"]["stored_at"]) == (
        True,
        True,
        None,
    )


def test_a_definition_shows_what_a_start_takes() -> None:
    """The JSON Schema of the state and the steps in reading order."""

    async def talk(client: Client) -> Any:
        return await got(client, "/Greeting")

    found = asked(talk)

    assert "number" in found["state_schema"]["properties"]
    assert [step["name"] for step in found["steps"]][:3] == ["note", "note_2", "note_3"]


def test_an_uploaded_definition_can_be_started() -> None:
    """YAML is compiled and stored, and is current at once."""

    async def talk(client: Client) -> tuple[int, Any]:
        answer = await client.post(DEFINITIONS, json=hello())
        assert answer.status_code == 201, answer.text
        run = await client.post("/api/v1/workflows", json={"workflow_type": "Hello", "wait_s": 5})
        return answer.status_code, run.json()["result"]

    assert asked(talk) == (201, "hello")


def test_a_compiled_definition_is_uploaded_too() -> None:
    """What `ruvon compile` prints is taken as it is."""
    text = dump(
        new_builder().compile_source(HELLO.format(version="2.0.0", value="ir")).definitions[0].definition
    ).decode()

    async def talk(client: Client) -> Any:
        answer = await client.post(DEFINITIONS, json={"source": text, "form": "ir"})
        assert answer.status_code == 201, answer.text
        return (await client.post("/api/v1/workflows", json={"workflow_type": "Hello", "wait_s": 5})).json()["result"]

    assert asked(talk) == "ir"


def test_a_dry_upload_stores_nothing() -> None:
    """It only says what would be stored."""

    async def talk(client: Client) -> tuple[int, int]:
        answer = await client.post(DEFINITIONS, json=hello(dry_run=True))
        return answer.status_code, (await client.get(f"{DEFINITIONS}/Hello")).status_code

    assert asked(talk) == (200, 404)


def test_mistakes_are_all_told() -> None:
    """Every finding has its code and its place; nothing is stored."""
    text = "workflow_type: Bad\nsteps:\n  - name: a\n    typ: ASSIGN\n  - name: a\n    type: ASSIGNN\n"

    async def talk(client: Client) -> tuple[int, Any]:
        answer = await client.post(DEFINITIONS, json={"source": text})
        return answer.status_code, answer.json()

    status, problem = asked(talk)

    assert (status, problem["code"]) == (422, "invalid-definition")
    assert len(problem["errors"]) > 1
    assert all(item["code"].startswith("RV") and item["place"].startswith("upload.yaml:") for item in problem["errors"])


@pytest.mark.parametrize("text", ["{", "[]", '{"ir_version": 1}', "\u2028", "a: &a [*a]"])
@pytest.mark.parametrize("form", ["yaml", "ir"])
def test_an_upload_that_is_nothing_is_refused(text: str, form: str) -> None:
    """Text that is no definition is a mistake of the sender."""

    async def talk(client: Client) -> tuple[int, str]:
        answer = await client.post(DEFINITIONS, json={"source": text, "form": form})
        return answer.status_code, answer.json()["code"]

    assert asked(talk) == (422, "invalid-definition")


def test_a_version_is_not_changed() -> None:
    """Another content under a stored version is refused; the same one is harmless."""

    async def talk(client: Client) -> list[Any]:
        answers = [await client.post(DEFINITIONS, json=hello(value=value)) for value in ("one", "one", "two")]
        return [*(answer.status_code for answer in answers), answers[-1].json()["code"]]

    assert asked(talk) == [201, 201, 409, "version-taken"]


@pytest.mark.parametrize("name", ["a\0b", "a\nb", "n" * 201])
@pytest.mark.parametrize("field", ["workflow_type", "workflow_version"])
@pytest.mark.parametrize("form", ["yaml", "ir"])
def test_a_name_that_no_request_can_say_is_refused(name: str, field: str, form: str) -> None:
    """Nobody could start, show or compare what has it, and not every store keeps it."""
    written = {"workflow_type": "Named", "workflow_version": "1.0.0", field: name}
    text = json.dumps({**written, "steps": [{"name": "end", "type": "RETURN", "value": 1}]})
    if form == "ir":
        text = dump(new_builder().compile_source(text, kind="yaml").definitions[0].definition).decode()

    async def talk(client: Client) -> tuple[int, str, list[str]]:
        answer = await client.post(DEFINITIONS, json={"source": text, "form": form})
        listed = [item["workflow_type"] for item in (await got(client, ""))["items"]]
        return answer.status_code, answer.json()["code"], [item for item in listed if item == written["workflow_type"]]

    assert asked(talk) == (422, "invalid-definition", [])


@pytest.mark.parametrize("form", ["yaml", "ir"])
def test_an_upload_calls_nothing_that_ruvon_works_with(form: str) -> None:
    """Neither what reads the environment, nor a module that was never written, which is a mistake of the sender."""
    text = "workflow_type: Calls\nsteps:\n  - {name: it, type: STANDARD, function: '%s'}\n"
    function, harmless = (
        "ruvon.implementations.encryption._keys:encryption_required",
        "tests.support.server_flows:fragile",
    )

    def source(path: str) -> str:
        if form == "yaml":
            return text % path
        made = dump(new_builder().compile_source(text % harmless, kind="yaml").definitions[0].definition).decode()
        tree = json.loads(made.replace(harmless, path))
        tree["beside"]["contracts"] = {}
        return json.dumps({key: value for key, value in tree.items() if key != "digest"})

    async def talk(client: Client) -> list[int]:
        paths = (function, "ruvon.implementations.nothing:work", "ruvon.nothing:work")
        return [
            (await client.post(DEFINITIONS, json={"source": source(path), "form": form})).status_code for path in paths
        ]

    assert all(status in {409, 422} for status in asked(talk))


def test_what_files_define_is_not_uploaded() -> None:
    """A deployment and an upload never fight over a type."""

    async def talk(client: Client) -> str:
        text = HELLO.format(version="9.0.0", value="mine").replace("Hello", "Greeting")
        code: str = (await client.post(DEFINITIONS, json={"source": text})).json()["code"]
        return code

    assert asked(talk) == "defined-by-files"


def test_another_server_knows_what_was_uploaded() -> None:
    """A server on the same store that was told nothing starts the newest upload, also one that came later."""
    store = MemoryPersistenceProvider()

    async def upload(client: Client, version: str) -> None:
        assert (await client.post(DEFINITIONS, json=hello(version, version))).status_code == 201

    async def run(client: Client) -> Any:
        return (await client.post("/api/v1/workflows", json={"workflow_type": "Hello", "wait_s": 5})).json()["result"]

    async def talk(client: Client) -> list[Any]:

        async with served(new_app(new_builder(store))) as other:
            await upload(client, "1.0.0")
            first = await run(other)
            await upload(client, "2.0.0")
            return [first, await run(other)]

    assert asked(talk, new_app(new_builder(store))) == ["1.0.0", "2.0.0"]


def test_the_history_says_what_each_version_changed() -> None:
    """Oldest first, with the differences from the one before; `diff` says the same of any two."""

    async def talk(client: Client) -> tuple[Any, Any, Any]:
        for version, value in (("1.0.0", "one"), ("2.0.0", "two")):
            await client.post(DEFINITIONS, json=hello(version, value))
        return (
            await got(client, "/Hello/history"),
            await got(client, "/Hello/diff", old="1.0.0", new="2.0.0"),
            await got(client, "/Hello/versions"),
        )

    history, diff, versions = asked(talk)

    assert [item["workflow_version"] for item in history["items"]] == ["1.0.0", "2.0.0"]
    assert [item["is_current"] for item in versions["items"]] == [False, True]
    assert history["items"][0]["changes"] == []
    assert history["items"][1]["changes"] == diff["changes"] != []


def test_a_version_is_found_by_its_digest() -> None:
    """The first characters of a digest are enough."""

    async def talk(client: Client) -> tuple[Any, Any]:
        found = await got(client, "/Greeting")
        return found, await got(client, "/Greeting", version=found["digest"][:8])

    found, again = asked(talk)

    assert found["digest"] == again["digest"]


@pytest.mark.parametrize("form", ["svg", "mermaid", "dot", "text"])
def test_a_definition_is_drawn(form: str) -> None:
    """Each form of picture has its media type and names the steps."""

    async def talk(client: Client) -> tuple[str, str]:
        answer = await client.get(f"{DEFINITIONS}/Approval/picture", params={"form": form})
        assert answer.status_code == 200, answer.text
        return answer.headers["Content-Type"], answer.text

    media, text = asked(talk)

    assert media.startswith(
        {"svg": "image/svg+xml", "mermaid": "text/vnd.mermaid", "dot": "text/vnd.graphviz"}.get(form, "text/plain")
    )
    assert "note" in text


def test_the_graph_is_data_too() -> None:
    """Boxes and edges; every edge ends in a box."""

    async def talk(client: Client) -> Any:
        return await got(client, "/Approval/graph")

    found = asked(talk)
    ids = {box["id"] for box in found["boxes"]}

    assert {"HUMAN_IN_LOOP", "STANDARD"} <= {box["kind"] for box in found["boxes"]}
    assert {end for edge in found["edges"] for end in (edge["source"], edge["target"])} <= ids


@pytest.mark.parametrize("rest", ["", "/versions", "/history", "/graph", "/picture", "/diff?old=1.0.0"])
def test_an_unknown_type_is_not_there(rest: str) -> None:
    """Each operation answers 404 with its code."""

    async def talk(client: Client) -> tuple[int, str]:
        answer = await client.get(f"{DEFINITIONS}/Nothing{rest}")
        return answer.status_code, answer.json()["code"]

    assert asked(talk) == (404, "unknown-workflow-type")


def test_a_tenant_is_not_told_how_many_runs_others_have() -> None:
    """The counts of a definition are for those who see all runs."""

    class Tenant:
        async def authenticate(self, _: object) -> Principal:
            return Principal(name="t", permissions=frozenset({"*"}), org_id="ours")

    async def talk(client: Client) -> Any:
        return await got(client, "/Greeting")

    found = asked(talk, new_app(authenticator=Tenant()))

    assert (found["running"], found["waiting"], found["ended"]) == (None, None, None)


ASKING = """workflow_type: Asking
steps:
  - name: fetch
    type: HTTP
    url: "http://127.0.0.1:9/{{{{ secret('{first}') }}}}"
  - name: each
    type: LOOP
    iterate_over: state['lines']
    item_var_name: item
    loop_body:
      - {{name: told, type: RETURN, value: "{{{{ secret('{second}') }}}}"}}
"""


@pytest.mark.parametrize(
    ("allowed", "refused"),
    [
        ((), ["BANK_KEY", "PRICES_TOKEN"]),
        (("PRICES_TOKEN",), ["BANK_KEY"]),
        (("PRICES_*",), ["BANK_KEY"]),
        (("PRICES", "BANK_", "prices_token"), ["BANK_KEY", "PRICES_TOKEN"]),
        (("PRICES_*", "BANK_KEY"), []),
        (("*",), []),
    ],
)
@pytest.mark.parametrize("form", ["yaml", "ir"])
def test_an_upload_has_the_secrets_that_the_server_names(
    allowed: tuple[str, ...], refused: list[str], form: str
) -> None:
    """Wherever it asks for others it is refused with their names and the setting, and nothing is stored."""
    text = ASKING.format(first="PRICES_TOKEN", second="BANK_KEY")
    if form == "ir":
        text = dump(new_builder().compile_source(text).definitions[0].definition).decode()

    async def talk(client: Client) -> tuple[int, Any, int]:
        answer = await client.post(DEFINITIONS, json={"source": text, "form": form})
        return answer.status_code, answer.json(), (await client.get(f"{DEFINITIONS}/Asking")).status_code

    status, said, stored = asked(talk, new_app(secret_names=allowed))

    assert (status, stored) == ((422, 404) if refused else (201, 200))
    if refused:
        assert said["code"] == "secret-refused"
        assert [item["detail"].split('"')[1] for item in said["errors"]] == refused
        assert all("RUVON_SECRET_NAMES" in item["detail"] and item["place"] for item in said["errors"])


def test_a_definition_of_a_file_has_any_secret(tmp_path: Path) -> None:
    """Whoever puts files on the server may read its variables anyway."""
    (tmp_path / "asking.yaml").write_text(ASKING.format(first="PRICES_TOKEN", second="BANK_KEY"), encoding="utf-8")
    builder = new_builder()
    builder.register(tmp_path)

    async def talk(client: Client) -> int:
        return (await client.get(f"{DEFINITIONS}/Asking")).status_code

    assert asked(talk, new_app(builder)) == 200


def test_an_upload_reads_no_variable_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """`${NAME}` has no value there: whoever uploads may not see the environment."""
    monkeypatch.setenv("SERVER_SECRET", "hunter2")
    text = "env: [SERVER_SECRET]\n" + HELLO.format(version="1.0.0", value="${SERVER_SECRET}")

    async def talk(client: Client) -> tuple[int, str]:
        answer = await client.post(DEFINITIONS, json={"source": text})
        return answer.status_code, answer.text

    status, said = asked(talk)

    assert status == 422
    assert "hunter2" not in said
