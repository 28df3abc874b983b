"""Brokers for the tests of Celery: Redis and RabbitMQ on this machine, or those that are named.

A test process has a Redis database number, or a RabbitMQ virtual host's queues, of its own only as far as its Celery
queues have names of their own; so each world names them.
"""

import functools
import os
import socket
from urllib.parse import urlsplit

import pytest

__all__ = ["RABBITMQ", "REDIS", "described", "needs_rabbitmq", "needs_redis"]

REDIS = os.environ.get("RUVON_TEST_REDIS_URL") or "redis://127.0.0.1:6379/11"
RABBITMQ = os.environ.get("RUVON_TEST_RABBITMQ_URL") or "amqp://guest:guest@127.0.0.1:5672//"


@functools.cache
def answers(url: str) -> bool:
    """Whether something listens there."""
    parts = urlsplit(url)
    try:
        with socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 0), timeout=2):
            return True
    except OSError:
        return False


def described() -> str:
    """Which brokers the run uses, for its header."""
    found = {"Redis": answers(REDIS), "RabbitMQ": answers(RABBITMQ)}
    return ", ".join(
        name if there else f"{name} DOES NOT ANSWER, its tests are skipped" for name, there in found.items()
    )


needs_redis = pytest.mark.skipif(not answers(REDIS), reason="no Redis answers: set RUVON_TEST_REDIS_URL")
needs_rabbitmq = pytest.mark.skipif(not answers(RABBITMQ), reason="no RabbitMQ answers: set RUVON_TEST_RABBITMQ_URL")
