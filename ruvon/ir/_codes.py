"""The codes of findings about stored definitions: broken ones, and what a new one would do to instances of an old one."""

from collections.abc import Mapping
from typing import Final

from ruvon.ir._diagnostics import CodeInfo

__all__ = ["CODES"]

_HEAD: Final = """from pydantic import BaseModel

from ruvon import human, receive, step, workflow


class Answer(BaseModel):
    ok: bool


class Order(BaseModel):
    total: int = 0{field}


@step
{step}


@workflow("Shop", version="{version}")
async def shop(state: Order) -> None:
    {wait}
    {call}
"""
_FIELD: Final = '\n    code: str = ""'
_NOTE: Final = "async def note(state: Order) -> None: ..."
_WAIT: Final = "await receive(Answer)"


def _versions(call: str, *step: str, field: str = _FIELD, wait: str = _WAIT) -> str:
    """Two versions of a module: the one that live instances run, and the one that is deployed."""
    old = _HEAD.format(field=_FIELD, step=_NOTE, version="1", wait=_WAIT, call="await note(state)")
    new = _HEAD.format(field=field, step="\n".join(step), version="2", wait=wait, call=call)
    return f"{old}\n\n# deployed now\n{new}"


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
    "RV0902": CodeInfo(
        title="running instances would be parked",
        explanation=(
            "`ruvon validate --against` compares the code with the definitions that live instances run. They keep those, "
            "but functions and models are found by their paths and run as deployed. Where one is gone, or has other "
            "parameters, another result or other fields, the instances stop with DefinitionDriftError and wait for code "
            "that fits. Keep what they call until they have ended, add instead of changing, or move them to the new "
            "definition with `ruvon migrate`."
        ),
        bad=_versions("await remark(state)", "async def remark(state: Order) -> None: ..."),
        good=_versions("await remark(state)", _NOTE, "", "", "@step", "async def remark(state: Order) -> None: ..."),
        language="versions",
    ),
    "RV0903": CodeInfo(
        title="a state field of running instances is removed",
        explanation=(
            "Live instances have a value for a field that the state no longer has. Nothing breaks: the value stays in "
            "their snapshots. But steps that are deployed now do not see it, and an instance that is moved to the new "
            "definition goes on without it. Keep the field until they have ended, or copy its value to another one first."
        ),
        bad=_versions("await note(state)", _NOTE, field=""),
        good=_versions("await note(state)", _NOTE),
        language="versions",
    ),
    "RV0904": CodeInfo(
        title="running instances cannot be moved to this definition",
        explanation=(
            "Live instances stand at a step that the new definition does not have in the same place, or have values that "
            "do not fit it. They go on with their own definition, so this matters only where they are to be moved with "
            "`ruvon migrate`, or where the code that they need goes away. Keep the name and the nesting of what they "
            "stand at, or let them end first."
        ),
        bad=_versions("await note(state)", _NOTE, wait='await human("look", form=Answer)'),
        good=_versions("await note(state)", _NOTE),
        language="versions",
    ),
}
