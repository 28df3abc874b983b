"""RabbitMQ as the broker of a fleet: the queue of the fleet, on a server that others may use as well."""

import secrets
from collections.abc import Callable
from typing import Any

from kombu import Connection
from kombu.exceptions import OperationalError

from tests.support.brokers import RABBITMQ_URL

__all__ = ["RabbitMQ"]


class RabbitMQ:
    """The server of the tests, and a queue on it that nobody else has. It is nobody's to kill; the queue is emptied."""

    def __init__(self) -> None:
        self.url = RABBITMQ_URL
        self.namespace = f"ruvon-chaos-{secrets.token_hex(4)}"

    def start(self) -> None:
        """See that it answers.

        Raises:
            SystemExit: it does not.
        """
        try:
            with Connection(self.url, connect_timeout=5) as connection:
                connection.connect()
        except (OSError, OperationalError):
            raise SystemExit(
                "no RabbitMQ answers where RUVON_TEST_RABBITMQ_URL says (else on this machine); use --broker redis"
            ) from None

    def flush(self) -> None:
        """Throw away every message that lies in the queue; those that a worker has fetched are in its hands."""
        self._on_channel(lambda channel: channel.queue_purge(self.namespace))

    def forget(self) -> None:
        """Delete the queue and its exchange."""
        self._on_channel(lambda channel: channel.queue_delete(self.namespace))
        self._on_channel(lambda channel: channel.exchange_delete(self.namespace))

    def _on_channel(self, work: Callable[[Any], object]) -> None:
        with Connection(self.url, connect_timeout=5) as connection:
            try:
                work(connection.default_channel)
            except connection.channel_errors:
                return  # it is not there, so nothing lies in it
