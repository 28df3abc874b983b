"""Requests made from the document, fitting and not: nothing breaks the server, and it answers only what it documents."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from litestar import Litestar
from litestar.testing import TestClient
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from ruvon_server.documents import document_of
from tests.support.cases import CASES
from tests.support.serving import new_app

URL = "http://127.0.0.1:8000"
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
STARTS = (
    {"workflow_type": "Approval"},
    {"workflow_type": "Payment", "data": {"number": "A-1"}},
    {"workflow_type": "Greeting"},
    {"workflow_type": "Fragile", "data": {"switch": "/nowhere"}},
    {"workflow_type": "Undoable"},
    {"workflow_type": "Undoable", "run": False},
)
EACH = max(5, CASES // 8)


@cache
def schema() -> Any:
    return schemathesis.openapi.from_dict(document_of(new_app()))


def operations() -> list[Any]:
    """Every operation, under its name; streams, which end when their reader goes, are asked in `test_events.py`."""
    every = (item.ok() for item in schema().get_all_operations())
    found = [item for item in every if not item.definition.raw["operationId"].startswith("stream_")]
    return [pytest.param(item, id=item.definition.raw["operationId"]) for item in found]


@pytest.fixture(scope="module")
def http() -> Iterator[TestClient[Litestar]]:
    """The server of all these requests."""
    with TestClient(new_app(wait_limit_s=0.2), raise_server_exceptions=False, base_url=URL) as client:
        yield client


@pytest.fixture(scope="module")
def ids(http: TestClient[Litestar]) -> list[str]:
    """Workflows in different states, for requests to hit."""
    return [http.post("/api/v1/workflows", json={**item, "wait_s": 1}).json()["workflow_id"] for item in STARTS]


TWO_FIELDS = {"set_queue_limits"}
"""Operations with a rule over two fields, which their schema does not say: `rate` and `period_s` go together."""


def takes_nothing(operation: APIOperation) -> bool:
    """Whether there is no way to ask it wrongly."""
    return not operation.definition.raw.get("parameters") and "requestBody" not in operation.definition.raw


@pytest.mark.campaign
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda item: item.value)
@pytest.mark.parametrize("operation", operations())
def test_nothing_breaks_the_server(
    operation: APIOperation, mode: GenerationMode, http: TestClient[Litestar], ids: list[str]
) -> None:
    """No 5xx, only documented statuses, types, headers and bodies; what fits the document is not refused for its form."""
    if takes_nothing(operation) and mode is GenerationMode.NEGATIVE:
        assert http.request(operation.method, operation.path, content=b"\xff").status_code < 500
        return

    @settings(
        max_examples=EACH,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(case=operation.as_strategy(generation_mode=mode), found=st.sampled_from([None, *ids]))
    def ask(case: Case, found: str | None) -> None:
        if found is not None and case.path_parameters:
            hits = {"workflow_id": found, "workflow_type": "Approval"}
            case.path_parameters = {name: hits.get(name, value) for name, value in case.path_parameters.items()}
        try:
            answer = http.request(**{**case.as_transport_kwargs(base_url=URL), "cookies": None})
        except httpx.InvalidURL:  # this client sends no address of that length
            assume(False)
            return
        case.validate_response(answer, checks=CHECKS)
        is_said = operation.definition.raw.get("operationId") not in TWO_FIELDS
        if mode is GenerationMode.POSITIVE and answer.status_code == 422 and is_said:
            assert answer.json()["code"] != "invalid-request", answer.text

    ask()
