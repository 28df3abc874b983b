"""Brokers for the tests of Celery: the Redis server of the other tests, and RabbitMQ on this machine or where it is named.

A test process has a Redis database number, or a RabbitMQ virtual host's queues, of its own only as far as its Celery
queues have names of their own; so each world names them. `RUVON_TEST_RABBITMQ_URL` is a URL, or `none`.
"""

import functools
import os
from urllib.parse import urlsplit, urlunsplit

import pytest

from tests.support import redis, servers

__all__ = ["RABBITMQ_URL", "needs_rabbitmq", "rabbitmq", "redis_broker", "require_rabbitmq"]

RABBITMQ_URL = os.environ.get("RUVON_TEST_RABBITMQ_URL") or "amqp://guest:guest@127.0.0.1:5672//"
needs_rabbitmq = pytest.mark.needs("RabbitMQ")


def redis_broker() -> str:
    """The URL of a Redis database for messages; the test is skipped where there is no server."""
    url = redis.server()
    if os.environ.get("RUVON_TEST_REDIS_URL") not in {None, "", "own"}:
        return url
    return urlunsplit(urlsplit(url)._replace(path="/11"))


def rabbitmq() -> str:
    """The URL of the RabbitMQ server; the test is skipped where none answers."""
    require_rabbitmq()
    servers.used(f"RabbitMQ {_version()}")
    return RABBITMQ_URL


def require_rabbitmq() -> None:
    """Skip the test that runs now where no RabbitMQ answers."""
    if _version() is None:
        servers.missing("RabbitMQ", f"none answers at {urlsplit(RABBITMQ_URL).hostname}; set RUVON_TEST_RABBITMQ_URL")


@functools.cache
def _version() -> str | None:
    if RABBITMQ_URL == "none":
        return None
    from kombu import Connection

    try:
        with Connection(RABBITMQ_URL, connect_timeout=2) as connection:
            return str(connection.connection.server_properties.get("version", "of unknown version"))
    except OSError:
        return None
