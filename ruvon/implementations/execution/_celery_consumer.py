"""What takes messages from the broker in a Celery worker, and survives those that nobody of ours has sent.

Celery ends the worker over a message whose body or headers are of another kind than its own, and gives the message back,
so that the next worker ends over it as well. Here it is rejected as any other message that cannot be a task.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

__all__ = ["careful_consumer"]


def careful_consumer(*arguments: Any, **options: Any) -> Any:
    """Celery's consumer, which lets go what it cannot read. `worker_consumer` names it."""
    consumer: Any = import_module("celery.worker.consumer").Consumer(*arguments, **options)  # without types
    make: Callable[..., Callable[[Any], Any]] = consumer.create_task_handler
    consumer.create_task_handler = lambda **given: _careful(consumer, make(**given))
    return consumer


def _careful(consumer: Any, handle: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def on_task_received(message: Any) -> Any:
        try:
            return handle(message)
        except Exception as exc:
            if message.acknowledged or isinstance(exc, (*consumer.connection_errors, *consumer.channel_errors)):
                raise
            return consumer.on_invalid_task(None, message, exc)

    return on_task_received
