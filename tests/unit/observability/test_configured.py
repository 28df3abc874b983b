"""Observers by name: what a setting lists is made from the environment, and mistakes are told in a sentence."""

import asyncio
import logging
import socket
import tomllib
from collections.abc import Generator
from pathlib import Path
from urllib.request import urlopen

import pytest

from ruvon.implementations.observability.configured import OBSERVERS, ObserverSettingError, observers_from
from ruvon.implementations.observability.events import RedisStreamObserver
from ruvon.implementations.observability.logging import JsonLogFormatter, LoggingObserver
from ruvon.implementations.observability.noop import NoopObserver, NoopWorkflowObserver
from ruvon.implementations.observability.otel import OtelObserver
from ruvon.implementations.observability.prometheus import PrometheusObserver


@pytest.fixture(autouse=True)
def _root_logger() -> Generator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_each_name_makes_its_observer() -> None:
    """In the order of the list, each once; an empty list is nobody."""
    made = observers_from(
        "logging, otel,redis,prometheus,noop,redis",
        {"OTEL_TRACES_EXPORTER": "console", "RUVON_METRICS_PORT": "0"},
    )
    kinds = [LoggingObserver, OtelObserver, RedisStreamObserver, PrometheusObserver, NoopWorkflowObserver]
    assert [type(item) for item in made] == kinds
    assert observers_from("") == []
    assert NoopWorkflowObserver is NoopObserver
    assert len(OBSERVERS) == len(kinds)
    for item in made:
        asyncio.run(item.close())


def test_logging_is_set_up_once() -> None:
    """One handler for all lines, whoever asks how often."""
    observers_from("logging", {"RUVON_LOG_LEVEL": "debug"})
    observers_from("logging", {})
    handlers = [item for item in logging.getLogger().handlers if isinstance(item.formatter, JsonLogFormatter)]
    assert len(handlers) == 1


def test_metrics_are_served_on_the_port_of_the_setting() -> None:
    """The second one who wants the port is told by the system."""
    (first,) = observers_from("prometheus", {"RUVON_METRICS_PORT": "0"})
    assert isinstance(first, PrometheusObserver)
    port = str(first.start_http(0))
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        assert answer.status == 200
    with pytest.raises(OSError, match="in use"):
        observers_from("prometheus", {"RUVON_METRICS_PORT": port})
    asyncio.run(first.close())


def test_metrics_may_be_counted_without_being_served() -> None:
    """The port `none`, as the processes of a pool have it."""
    (made,) = observers_from("prometheus", {"RUVON_METRICS_PORT": "none"})
    assert isinstance(made, PrometheusObserver)
    assert made.serves is None


def test_two_builders_of_a_process_share_what_is_served() -> None:
    """The second one gets the same observer, and the endpoint stays until both have closed it."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = str(found.getsockname()[1])
    first, second = (observers_from("prometheus", {"RUVON_METRICS_PORT": port})[0] for _ in range(2))
    assert isinstance(first, PrometheusObserver)
    assert first is second
    asyncio.run(first.close())
    assert first.serves == int(port)
    asyncio.run(second.close())
    assert first.serves is None
    (third,) = observers_from("prometheus", {"RUVON_METRICS_PORT": port})
    assert third is not first
    asyncio.run(third.close())


@pytest.mark.parametrize(
    ("extra", "package"), [("otel", "opentelemetry-sdk"), ("prometheus", "prometheus-client"), ("redis", "redis")]
)
def test_each_observer_has_its_extra(extra: str, package: str) -> None:
    """S2-062: `pip install 'ruvon[otel]'` brings what the observer imports."""
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    assert any(item.partition(">")[0] == package for item in project["optional-dependencies"][extra])
    assert any(item.partition(">")[0] == package for item in project["optional-dependencies"]["dev"])


@pytest.mark.parametrize(
    ("names", "environ", "text"),
    [
        ("logging,jaeger", {}, "RUVON_OBSERVERS is 'logging,jaeger': there is no `jaeger`; known: logging, noop, otel, prometheus, redis"),
        ("prometheus", {"RUVON_METRICS_PORT": "http"}, "RUVON_METRICS_PORT is 'http': give a whole number, or `none`"),
        ("logging", {"RUVON_LOG_LEVEL": "loud"}, "RUVON_LOG_LEVEL is 'LOUD': give one of CRITICAL"),
        ("otel", {"OTEL_TRACES_EXPORTER": "pigeon"}, "OTEL_TRACES_EXPORTER is 'pigeon': no installed package has this exporter"),
    ],
    ids=["name", "port", "level", "exporter"],
)  # fmt: skip
def test_a_mistake_is_one_sentence(names: str, environ: dict[str, str], text: str) -> None:
    """It names the setting, its value and what it may be."""
    with pytest.raises(ObserverSettingError) as caught:
        observers_from(names, environ)
    assert str(caught.value).startswith(text)
