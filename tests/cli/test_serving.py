"""Processes that serve for long have the patience and the connections that their operators give them."""

import asyncio
from typing import Any

import pytest

from ruvon.celery_app import _check
from ruvon.cli import _session
from ruvon.cli._app import cli
from ruvon.cli._provider import new_provider

URL = "postgresql://nobody@127.0.0.1:1/none"
SERVING = {
    "worker": ["worker"],
    "scheduler": ["scheduler"],
    "zombie-daemon": ["zombie-daemon"],
    "scheduler --once": ["scheduler", "--once"],
    "scan-zombies": ["scan-zombies"],
}


class Asked(Exception):
    """The store would be opened now."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """With what the store is made; it is not opened."""
    found: list[dict[str, Any]] = []

    def refuse(_: str, **options: Any) -> None:
        found.append(options)
        raise Asked

    monkeypatch.setattr(_session, "new_provider", refuse)
    return found


@pytest.mark.parametrize("name", SERVING)
def test_who_serves_waits_longer_for_the_server(name: str, asked: list[dict[str, Any]]) -> None:
    """A store that is started again takes longer than a person wants to wait, and must not end workers."""
    with pytest.raises(Asked):
        cli.main([*SERVING[name], "--db", URL], standalone_mode=False)

    serves = name in {"worker", "scheduler", "zombie-daemon"}
    assert [item.get("patience_s") for item in asked] == [30.0 if serves else None]


def test_a_celery_worker_waits_longer_too(asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a process that serves."""
    monkeypatch.setenv("RUVON_DB_URL", URL)
    with pytest.raises(Asked):
        asyncio.run(_check())

    assert [item.get("patience_s") for item in asked] == [30.0]


def test_the_pool_of_a_command_is_small_and_may_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """`POSTGRES_POOL_MAX_SIZE` counts for workers as for applications; without it they have four connections."""
    monkeypatch.delenv("POSTGRES_POOL_MAX_SIZE", raising=False)
    few: Any = new_provider(URL, migrate=False)
    monkeypatch.setenv("POSTGRES_POOL_MAX_SIZE", "17")
    many: Any = new_provider(URL, migrate=False)

    assert (few.pool_settings.min_size, few.pool_settings.max_size) == (1, 4)
    assert (many.pool_settings.min_size, many.pool_settings.max_size) == (1, 17)


def test_a_pool_that_is_none_is_told_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong variable ends the command like any other wrong setting."""
    monkeypatch.setenv("POSTGRES_POOL_MAX_SIZE", "many")

    with pytest.raises(SystemExit) as ended:
        new_provider(URL, migrate=False)

    assert ended.value.code == 2
    assert "POSTGRES_POOL_MAX_SIZE" in capsys.readouterr().err
