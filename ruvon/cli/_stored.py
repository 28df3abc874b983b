"""Which definition is meant: one that a TARGET compiles to, or one that the database has, by version or by digest."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ruvon.cli._definitions import require_runnable
from ruvon.cli._output import Exit, fail, shortened
from ruvon.cli._session import Session, Store, again, opened
from ruvon.cli._targets import UnknownTypeError

if TYPE_CHECKING:
    from ruvon.ir import Definition
    from ruvon.providers import DefinitionRecord

__all__ = [
    "REFERENCE",
    "Chosen",
    "Version",
    "chosen_definition",
    "is_stored",
    "stored_definition",
    "the_one",
]

REFERENCE: Final = "a TARGET, or a stored one as TYPE@VERSION or as the first characters of its digest"
_DIGEST: Final = re.compile(r"[0-9a-fA-F]{6,64}")
_VERSION: Final = re.compile(r"[^:/\\]+@[^@]+")


@dataclass(frozen=True, slots=True)
class Chosen:
    """A definition, and the options of the command with what its code needs."""

    definition: "Definition"
    store: Store


def is_stored(text: str) -> bool:
    """Whether a text means a definition in the database; what is a file is that file."""
    return not Path(text).exists() and bool(_DIGEST.fullmatch(text) or _VERSION.fullmatch(text))


async def stored_definition(session: Session, text: str) -> "DefinitionRecord":
    """The stored definition that `TYPE@VERSION`, or the first characters of a digest, means; else the command ends."""
    kind, separator, _ = text.rpartition("@")
    known = await session.provider.list_definitions(*([kind] if separator else []))
    chosen = the_one([Version(item.workflow_type, item.workflow_version, item.digest.hex()) for item in known], text)
    return next(item for item in known if item.digest.hex() == chosen.digest)


@dataclass(frozen=True, slots=True)
class Version:
    """A stored version of a workflow type."""

    workflow_type: str
    workflow_version: str
    digest: str


def the_one(known: Sequence[Version], text: str) -> Version:
    """The version that `TYPE@VERSION`, or the first characters of a digest, means; none or several end the command."""
    kind, separator, version = text.rpartition("@")
    if separator:
        known = [item for item in known if item.workflow_type == kind]
        found = [item for item in known if item.workflow_version == version]
        missing = f"no {kind} of version {shortened(version)} is stored" if known else _no_definition(kind)
    else:
        found = [item for item in known if item.digest.startswith(text.lower())]
        missing = f"no stored definition has a digest that begins with {text.lower()}"
    if not found:
        fail(f"{missing}; see `ruvon definitions list{again(code=False)}`", Exit.NOT_FOUND)
    if len(found) > 1:
        digests = ", ".join(item.digest[:12] for item in found)
        fail(f"several stored definitions are {text}; say which by its digest: {digests}", Exit.USAGE)
    return found[0]


async def chosen_definition(store: Store, text: str, *, name: str | None = None) -> Chosen:
    """The definition that a text means, compiled or read; a database is opened only for a stored one."""
    from ruvon.ir import load  # noqa: PLC0415

    if not is_stored(text):
        try:
            runnable = require_runnable(text, store, name)
        except UnknownTypeError as exc:
            fail(f"{exc}{await _stored_versions(store, text)}", Exit.NOT_FOUND)
        return Chosen(runnable.definition, runnable.store)
    async with opened(store) as session:
        return Chosen(load((await stored_definition(session, text)).text), store)


def _no_definition(kind: str) -> str:
    return f"no definition of a {shortened(kind)} is stored"


async def _stored_versions(store: Store, workflow_type: str) -> str:
    """The end of a sentence about an unknown type: what the database, if there is one, has of it."""
    if not store.exists:
        return ""
    async with opened(store) as session:
        found = await session.provider.list_definitions(workflow_type)
    names = ", ".join(f"`{workflow_type}@{item.workflow_version}`" for item in found)
    return f"; the database has {names}" if names else ""
