"""The store behind a command: a SQLite file, a PostgreSQL or a Redis server, by the form of the database's name."""

import os
from typing import TYPE_CHECKING, Final, TypeAlias

from ruvon.cli._output import Exit, fail
from ruvon.cli._settings import setting
from ruvon.implementations.persistence._named import NamedProvider, is_redis, is_server, persistence_named

if TYPE_CHECKING:
    from ruvon.providers import ExecutionProvider, KeyProvider

__all__ = [
    "EXECUTIONS",
    "SERVING_PATIENCE_S",
    "Provider",
    "bare_provider",
    "encryption_keys",
    "is_redis",
    "is_server",
    "new_execution",
    "new_provider",
    "without_password",
]

Provider: TypeAlias = NamedProvider

EXECUTIONS: Final = ("sync", "thread_pool", "queue", "postgres", "celery")
"""Values of the setting `execution`: the names that `execution_named` knows."""
_PATIENCE_S: Final = 5.0
"""So long a command waits for a server that is away: somebody sits in front of it."""
SERVING_PATIENCE_S: Final = 30.0
"""So long a process waits that serves: a server that is started again must not end its workers."""


def without_password(database: str) -> str:
    """A database's name as it may be printed."""
    if not is_server(database):
        return database
    from ruvon.implementations.persistence._urls import shown_url  # noqa: PLC0415

    return shown_url(database)


def new_provider(database: str, *, migrate: bool, drives: bool = False, patience_s: float = _PATIENCE_S) -> Provider:
    """A provider that is not open yet, behind encryption where the settings name keys.

    Args:
        database: a file, `:memory:` or a URL.
        migrate: bring the tables of a server up to date; a file's always are.
        drives: workflows are driven over it; then the engine itself refuses what is encrypted and nobody can open.
        patience_s: how long a server that is away is waited for.
    """
    from ruvon.implementations.encryption import encrypting, guarded  # noqa: PLC0415

    bare, keys = bare_provider(database, migrate=migrate, patience_s=patience_s), encryption_keys()
    if keys is None:
        return bare if drives else guarded(bare)
    return encrypting(bare, keys)


def encryption_keys() -> "KeyProvider | None":
    """The keys that variables or the config file name; a key that cannot be used ends the command."""
    from ruvon.implementations.encryption import FileKeys, keys_from_environment  # noqa: PLC0415
    from ruvon.providers import EncryptionKeyFormatError  # noqa: PLC0415

    try:
        if os.environ.get("RUVON_ENCRYPTION_KEY"):
            return keys_from_environment()
        file = setting("encryption_key_file")
        return FileKeys(file) if file else keys_from_environment()
    except EncryptionKeyFormatError as exc:
        fail(str(exc), Exit.USAGE)


def bare_provider(database: str, *, migrate: bool, patience_s: float = _PATIENCE_S) -> Provider:
    """A provider that is not open yet and knows nothing of encryption.

    Args:
        database: a file, `:memory:` or a URL.
        migrate: bring the tables of a server up to date; a file's always are.
        patience_s: how long a server that is away is waited for.
    """
    try:
        return persistence_named(database, durability=setting("durability"), migrate=migrate, patience_s=patience_s)
    except ValueError as exc:
        fail(str(exc), Exit.USAGE)


def new_execution(name: str) -> "ExecutionProvider":
    """Who runs step bodies, by its name."""
    from ruvon.implementations.execution._named import execution_named  # noqa: PLC0415
    from ruvon.providers import MissingExtraError  # noqa: PLC0415

    try:
        return execution_named(name)
    except MissingExtraError as exc:
        fail(f"the executor {name} cannot be used: {exc}", Exit.USAGE)
    except ValueError:
        fail(f"the setting execution is `{name}`; it is one of {', '.join(EXECUTIONS)}", Exit.USAGE)
