"""The codes of findings about a graph itself, which only a broken tool or an edited file can cause."""

from collections.abc import Mapping
from typing import Final

from ruvon.ir._diagnostics import CodeInfo

__all__ = ["CODES"]

CODES: Final[Mapping[str, CodeInfo]] = {
    "RV0901": CodeInfo(
        title="the stored definition is malformed",
        explanation=(
            "A definition in IR form breaks a rule of the graph: an edge leads nowhere, an id stands twice, a field is "
            "missing. The front ends never write such a file; it was edited, cut short, or made by another tool. "
            "Compile the workflow again from its source."
        ),
        bad='{"format": "ruvon-definition", "definition": {"workflow_type": "Empty"}}',
        good="""{"format": "ruvon-definition", "definition": {"ir_version": 1, "workflow_type": "Empty",
 "workflow_version": "1.0.0", "state": "dict[str, object]", "result": null, "saga": false, "strict_results": true,
 "history": null, "commit": "step", "variables": {}, "types": {}, "graph": {"entry": "END", "nodes": {}}}}""",
        language="definition",
    ),
}
