"""A shop on several machines: queued steps, workers, Celery, timers, children, signals and sagas, and how it is deployed."""
