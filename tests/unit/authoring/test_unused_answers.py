"""Answers of a world that nobody asked for are told at the end of a local run."""

import asyncio
import warnings

import pytest
from pydantic import BaseModel

from ruvon import World, human, workflow


class Desk(BaseModel):
    """A state."""

    open: bool = True


class Word(BaseModel):
    """An answer."""

    ok: bool


@workflow("Asks")
async def asks(state: Desk) -> bool:
    """Asks one person once."""
    word = await human("boss.decide", form=Word, default=Word(ok=False))
    return word.ok


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"boss.decide": [{"ok": True}], "boss.decid": [{"ok": True}]}, "1 for `boss.decid`"),
        ({"boss.decide": [{"ok": True}, {"ok": False}]}, "1 for `boss.decide`"),
    ],
)
def test_answers_that_were_not_used(answers: dict[str, list[object]], said: str) -> None:
    """A misspelt task and an answer too many are a warning that names what was asked."""
    with pytest.warns(UserWarning, match=f"not used: {said}; the run asked for `boss.decide`"):
        assert asyncio.run(asks.local(Desk(), World(answers=answers)))


@pytest.mark.parametrize("answers", [{"boss.decide": [{"ok": True}]}, {"boss.decide": [{"ok": True}], "other": []}])
def test_answers_that_were_used(answers: dict[str, list[object]]) -> None:
    """Where everything was used, or nothing is offered, nothing is said."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert asyncio.run(asks.local(Desk(), World(answers=answers)))


def test_an_enclosing_world_may_hold_more() -> None:
    """A world around several runs keeps its answers for those that follow."""
    with World(answers={"boss.decide": [{"ok": True}, {"ok": True}]}):
        assert asyncio.run(asks.local(Desk()))
        assert asyncio.run(asks.local(Desk()))
