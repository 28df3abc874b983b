"""Executors by name, set up by the environment."""

import os
from collections.abc import Callable
from typing import Final

from ruvon.implementations.execution.queued import QueuedExecutionProvider
from ruvon.implementations.execution.sync import SyncExecutionProvider
from ruvon.implementations.execution.thread_pool import ThreadPoolExecutionProvider
from ruvon.providers import ExecutionProvider

__all__ = ["EXECUTIONS", "broker_url", "execution_named", "namespace"]

_BROKER: Final = "RUVON_CELERY_BROKER_URL"
_NAMESPACE: Final = "RUVON_CELERY_NAMESPACE"
_OWN_QUEUES: Final = "RUVON_CELERY_OWN_QUEUES"
_LOCAL: Final = "redis://localhost:6379/0"


def broker_url() -> str:
    """The broker of Celery: `RUVON_CELERY_BROKER_URL`, or Redis on this machine."""
    return os.environ.get(_BROKER) or _LOCAL


def namespace() -> str:
    """What the names of Celery queues begin with: `RUVON_CELERY_NAMESPACE`, or `ruvon`."""
    return os.environ.get(_NAMESPACE) or "ruvon"


def execution_named(name: str) -> ExecutionProvider:
    """An executor by one of the names `sync`, `thread_pool`, `queue`, `postgres`, `celery`.

    Raises:
        ValueError: there is none of this name; the text lists them.
        MissingExtraError: its library is not installed.
    """
    made = _KINDS.get(name.strip().lower())
    if made is None:
        raise ValueError(f"there is no executor `{name}`; it is one of {', '.join(EXECUTIONS)}")
    return made()


def _postgres() -> ExecutionProvider:
    from ruvon.implementations.execution.postgres_executor import PostgresExecutor  # noqa: PLC0415 - an extra

    return PostgresExecutor()


def _celery() -> ExecutionProvider:
    from ruvon.implementations.execution.celery import CeleryExecutionProvider  # noqa: PLC0415 - an extra

    own = [name.strip() for name in os.environ.get(_OWN_QUEUES, "").split(",") if name.strip()]
    return CeleryExecutionProvider(broker_url(), own_queues=own, namespace=namespace())


_KINDS: Final[dict[str, Callable[[], ExecutionProvider]]] = {
    "sync": SyncExecutionProvider,
    "thread_pool": ThreadPoolExecutionProvider,
    "queue": QueuedExecutionProvider,
    "postgres": _postgres,
    "celery": _celery,
}
EXECUTIONS: Final = tuple(_KINDS)
"""The names, for messages."""
