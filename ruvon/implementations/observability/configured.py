"""Observers by name, as a setting or the environment variable `RUVON_OBSERVERS` lists them: `logging,otel,prometheus,redis`.

| name | observer | settings |
|---|---|---|
| `logging` | `LoggingObserver`; JSON lines on standard error, those of steps too | `RUVON_LOG_LEVEL` (`INFO`) |
| `otel` | `OtelObserver` | `OTEL_TRACES_EXPORTER` (`otlp`), `OTEL_SERVICE_NAME`, and what the exporter reads |
| `prometheus` | `PrometheusObserver` | `RUVON_METRICS_PORT` (9464 or `none`), `RUVON_METRICS_ADDRESS` (`127.0.0.1`) |
| `redis` | `RedisStreamObserver` | `RUVON_REDIS_URL`, `RUVON_EVENTS_STREAM`, `RUVON_EVENTS_MAXLEN` |
| `noop` | `NoopObserver` | |
"""

import logging
import os
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Final

from ruvon.implementations.observability._together import FOLDER
from ruvon.ir import RuvonError
from ruvon.providers import NoopObserver, WorkflowObserver

if TYPE_CHECKING:
    from ruvon.implementations.observability.prometheus import PrometheusObserver

__all__ = ["OBSERVERS", "ObserverSettingError", "observers_from"]


_SERVED: Final = dict[int, tuple[int, "PrometheusObserver"]]()
"""Who serves metrics, by port, and in which process: a second builder of that process tells the same observer."""


class ObserverSettingError(RuvonError, ValueError):
    """A setting of an observer cannot be followed.

    Args:
        setting: its name.
        value: what it says.
        remedy: what it may say, or what is missing.
    """

    def __init__(self, setting: str, value: str, remedy: str) -> None:
        self.setting = setting
        super().__init__(f"{setting} is {value!r}: {remedy}")


def observers_from(names: str, environ: Mapping[str, str] = os.environ) -> list[WorkflowObserver]:
    """The observers that a comma-separated list names, in its order, each once.

    Args:
        names: the list; empty gives none.
        environ: where their settings are read.

    Raises:
        ObserverSettingError: a name or a setting is none of the known ones; nothing was started.
        MissingExtraError: an observer needs a package that is not installed.
        OSError: the port of the metrics is taken.
    """
    wanted = list(dict.fromkeys(item.strip() for item in names.split(",") if item.strip()))
    for name in wanted:
        if name not in OBSERVERS:
            raise ObserverSettingError("RUVON_OBSERVERS", names, f"there is no `{name}`; known: {', '.join(OBSERVERS)}")
    return [OBSERVERS[name](environ) for name in wanted]


def _logging(environ: Mapping[str, str]) -> WorkflowObserver:
    from ruvon.implementations.observability.logging import (  # noqa: PLC0415 - only what is wanted is loaded
        JsonLogFormatter,
        LoggingObserver,
        WorkflowLogFilter,
    )

    level = environ.get("RUVON_LOG_LEVEL", "INFO").upper()
    if level not in logging.getLevelNamesMapping():
        known = ", ".join(logging.getLevelNamesMapping())
        raise ObserverSettingError("RUVON_LOG_LEVEL", level, f"give one of {known}")
    root = logging.getLogger()
    if not any(isinstance(item.formatter, JsonLogFormatter) for item in root.handlers):
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(JsonLogFormatter())
        handler.addFilter(WorkflowLogFilter())
        root.addHandler(handler)
    root.setLevel(level)
    return LoggingObserver(json=False)


def _otel(environ: Mapping[str, str]) -> WorkflowObserver:
    from ruvon.implementations.observability.otel import OtelObserver  # noqa: PLC0415

    name = environ.get("OTEL_TRACES_EXPORTER", "otlp")
    if name == "none":
        return OtelObserver()
    found = tuple(entry_points(group="opentelemetry_traces_exporter", name=name))
    if not found:
        remedy = f"no installed package has this exporter; install `opentelemetry-exporter-{name}`, or use `console`"
        raise ObserverSettingError("OTEL_TRACES_EXPORTER", name, remedy)
    exporter: Callable[[], Any] = found[0].load()
    return OtelObserver.exporting(exporter(), environ.get("OTEL_SERVICE_NAME", "ruvon-workflows"))


def _prometheus(environ: Mapping[str, str]) -> WorkflowObserver:
    from ruvon.implementations.observability.prometheus import PrometheusObserver  # noqa: PLC0415

    if environ.get("RUVON_METRICS_PORT") == "none":
        return PrometheusObserver()
    port = _number(environ, "RUVON_METRICS_PORT", 9464, or_else=", or `none` to count and serve nothing")
    served = _SERVED.get(port)
    if served is not None and served[0] == os.getpid() and served[1].serves == port:
        return served[1].joined()
    made = PrometheusObserver()
    try:
        port = made.start_http(port, environ.get("RUVON_METRICS_ADDRESS", "127.0.0.1"))
    except OSError:
        if FOLDER not in environ:
            raise
        return made  # the process that has the port serves what this one counts
    _SERVED[port] = os.getpid(), made
    return made


def _redis(environ: Mapping[str, str]) -> WorkflowObserver:
    from ruvon.implementations.observability.events import DEFAULT_STREAM, RedisStreamObserver  # noqa: PLC0415

    return RedisStreamObserver(
        environ.get("RUVON_REDIS_URL"),
        stream=environ.get("RUVON_EVENTS_STREAM", DEFAULT_STREAM),
        maxlen=_number(environ, "RUVON_EVENTS_MAXLEN", 100_000),
    )


def _number(environ: Mapping[str, str], name: str, default: int, *, or_else: str = "") -> int:
    text = environ.get(name, str(default))
    if not text.isdecimal():
        raise ObserverSettingError(name, text, f"give a whole number{or_else}")
    return int(text)


OBSERVERS: Final[Mapping[str, Callable[[Mapping[str, str]], WorkflowObserver]]] = {
    "logging": _logging,
    "noop": lambda _: NoopObserver(),
    "otel": _otel,
    "prometheus": _prometheus,
    "redis": _redis,
}
"""Makers of observers from settings, by name."""
