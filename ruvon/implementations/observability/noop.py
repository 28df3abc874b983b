"""`NoopObserver` under the path of the other observers."""

from ruvon.providers.observer import NoopObserver

__all__ = ["NoopObserver"]
