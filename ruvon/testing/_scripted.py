"""Whether the names in a script are those of the workflows under test."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from ruvon.ir import Definition, HumanSource, Wait, walk_nodes
from ruvon.ir.expr import Const
from ruvon.testing._errors import ScriptError
from ruvon.testing._script import Script

__all__ = ["check_answers"]


def check_answers(script: Script, definitions: Sequence[Definition]) -> None:
    """Refuse answers to a task or step that no workflow has.

    Raises:
        ScriptError: there is none of that name. Nothing is refused where a task's name is made at run time.
    """
    tasks = [task for definition in definitions for task in _tasks(definition)]
    if None in tasks:
        return
    steps = [node.id for definition in definitions for node in walk_nodes(definition.graph)]
    known = {*steps, *(task for task in tasks if task is not None)}
    for name in script.answers:
        if name not in known:
            near = get_close_matches(name, sorted(known), n=1)
            asked = ", ".join(f"`{task}`" for task in dict.fromkeys(tasks)) or "nobody"
            hint = f"did you mean `{near[0]}`?" if near else f"it asks {asked}"
            raise ScriptError(f"it answers `{name}`, which nothing asks; {hint}")


def _tasks(definition: Definition) -> Iterable[str | None]:
    """The tasks that people are given; None for one whose name is made at run time."""
    for node in walk_nodes(definition.graph):
        if isinstance(node.action, Wait) and isinstance(node.action.source, HumanSource):
            task = node.action.source.task
            yield task.value if isinstance(task, Const) and isinstance(task.value, str) else None
