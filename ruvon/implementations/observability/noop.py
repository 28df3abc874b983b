"""`NoopObserver` under the path of the other observers, and under its other documented name."""

from ruvon.providers.observer import NoopObserver

__all__ = ["NoopObserver", "NoopWorkflowObserver"]

NoopWorkflowObserver = NoopObserver
