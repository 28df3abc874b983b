"""The client of a Ruvon server, for programs; it needs `httpx` (the extra `client`) and no web framework.

```python
with Client("http://127.0.0.1:8000", api_key="...") as ruvon:
    order = ruvon.start_workflow(workflow_type="OrderProcessing", data={"order_id": "A-1"})
    order = ruvon.wait(order.workflow_id)
```

`AsyncClient` has the same methods, awaited.
"""

from ruvon.providers import MissingExtraError

try:
    import httpx as _httpx
except ImportError as exc:
    raise MissingExtraError("client", "httpx") from exc

from ruvon_server.client._async import AsyncClient
from ruvon_server.client._call import Call, WorkflowRef
from ruvon_server.client._errors import (
    ClientError,
    InvalidRequestError,
    ProblemError,
    ServerUnreachableError,
    StillRunningError,
    UnexpectedAnswerError,
)
from ruvon_server.client._following import ServerEvent
from ruvon_server.client._sync import Client

del _httpx

__all__ = [
    "AsyncClient",
    "Call",
    "Client",
    "ClientError",
    "InvalidRequestError",
    "ProblemError",
    "ServerEvent",
    "ServerUnreachableError",
    "StillRunningError",
    "UnexpectedAnswerError",
    "WorkflowRef",
]
