"""Generated programs made ready to run, once each."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon.ir import Definition, ImportRoots
from ruvon_dsl import compile_function, compile_source, require
from tests.differential import shop
from tests.differential.blocks import source_of
from tests.differential.sources import initial_of, outside_of, program
from tests.support.differential import Outcome, local_run
from tests.support.differential_engine import MakeStore, engine_run

__all__ = [
    "WORLDS",
    "Ready",
    "by_engine",
    "by_local",
    "children",
    "compiled",
    "explained",
    "file_store",
    "prepared",
    "sqlite",
]

WORLDS = 5
"""Worlds per program."""


@cache
def children() -> tuple[Definition, ...]:
    """The definitions that generated programs start."""
    return tuple(item.definition for item in require(compile_function(shop.sub, roots=ImportRoots({"tests"}))))


@dataclass
class Ready:
    """A program that both roads can take."""

    name: str
    text: str
    workflow: Any
    definition: Definition

    @property
    def definitions(self) -> tuple[Definition, ...]:
        """It and what it starts."""
        return (self.definition, *children())


def compiled(text: str, name: str) -> Ready | None:
    """A module's workflow `generated`; None where the text is refused."""
    found = compile_source(text, roots=ImportRoots({"tests"}), module=name)
    if not found.ok:
        return None
    return Ready(name, text, sys.modules[name].generated, found.definitions[0].definition)


def prepared(seeds: range) -> Iterator[tuple[int, Ready]]:
    """The programs of these seeds, without the few that the compiler refuses for a good reason."""
    for seed in seeds:
        block, options = program(seed)
        ready = compiled(source_of(block, options=options), f"generated_{seed}")
        if ready is not None:
            yield seed, ready
            sys.modules.pop(ready.name, None)


def by_local(ready: Ready, world: int) -> Outcome:
    """Under CPython."""
    return local_run(ready.workflow, initial_of(world), outside_of(world))


def by_engine(
    ready: Ready, world: int, store: MakeStore | None = None, lose: tuple[int, bool] | None = None
) -> Outcome:
    """By the engine."""
    return engine_run(ready.definitions, initial_of(world), outside_of(world), store, lose)


def sqlite() -> SQLitePersistenceProvider:
    """A SQLite store in memory."""
    return SQLitePersistenceProvider(":memory:")


def file_store(path: Path) -> MakeStore:
    """A SQLite file, opened anew after each loss."""
    return lambda: SQLitePersistenceProvider(path, durability="OFF")


def explained(ready: Ready, world: int, found: list[str]) -> str:
    """What disagreed, with the program."""
    return "\n".join([f"program {ready.name}, world {world}", ready.text, *found])
