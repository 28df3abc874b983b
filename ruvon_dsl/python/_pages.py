"""How the pages of the codes are written: every example is a whole module, made of one shared beginning and a body."""

from textwrap import dedent, indent
from typing import Final

from ruvon.ir._diagnostics import CodeInfo

__all__ = ["PRELUDE", "body_page", "module_page"]

PRELUDE: Final = """\
from datetime import datetime, timedelta
from uuid import uuid4

from pydantic import BaseModel

import asyncio
import ruvon
from ruvon import (
    BREAK, END, Elapsed, Retry, after, block, call, first_of, flow, gather, named, node, now, pure, receive, saga, sleep,
    step, workflow,
)


class Line(BaseModel):
    sku: str
    qty: int = 1


class Order(BaseModel):
    number: int = 0
    name: str = ""
    lines: list[Line] = []
    notes: list[str] = []
    total: int = 0


class Paid(BaseModel):
    amount: int


class Cancelled(BaseModel):
    reason: str


class Refused(Exception):
    pass


@step
async def charge(state: Order) -> None:
    print("charging", state.number)


@step
async def price(number: int) -> int:
    return number * 2
"""
"""The beginning of every example."""


def body_page(title: str, explanation: str, bad: str, good: str, *, head: str = "", result: str = "None") -> CodeInfo:
    """A page whose examples are bodies of one workflow; `head` stands before it in both."""
    return CodeInfo(
        title=title, explanation=explanation, bad=_module(bad, head, result), good=_module(good, head, result)
    )


def _module(body: str, head: str, result: str) -> str:
    before = f"\n\n{dedent(head).strip()}\n" if head else ""
    opening = f'\n\n@workflow("Example")\nasync def example(state: Order) -> {result}:\n'
    return PRELUDE + before + opening + indent(dedent(body).strip(), "    ") + "\n"


def module_page(title: str, explanation: str, bad: str, good: str) -> CodeInfo:
    """A page whose examples stand behind the shared beginning as they are."""
    return CodeInfo(
        title=title,
        explanation=explanation,
        bad=f"{PRELUDE}\n\n{dedent(bad).strip()}\n",
        good=f"{PRELUDE}\n\n{dedent(good).strip()}\n",
    )
