"""The two front ends of Ruvon and their way back: Python and YAML to one graph, and the graph to either form.

Everything that authors write with is here too (`from ruvon_dsl import workflow, step, gather`). The compilers themselves,
with libcst and PyYAML, are loaded when the first text is compiled or printed.
"""

from typing import TYPE_CHECKING

import ruvon as _ruvon
from ruvon import *  # noqa: F403 - this package offers what authors write with under its own name as well
from ruvon_dsl._compile import (
    CompiledWorkflow,
    CompileResult,
    check_file,
    compile_file,
    compile_function,
    compile_source,
    compile_target,
    require,
)

if TYPE_CHECKING:
    from ruvon_dsl.printing import to_python, to_yaml

__all__ = [
    "CompileResult",
    "CompiledWorkflow",
    "check_file",
    "compile_file",
    "compile_function",
    "compile_source",
    "compile_target",
    "require",
    "to_python",
    "to_yaml",
]
__all__ += _ruvon.__all__  # the authoring names, listed once where they belong


def __getattr__(name: str) -> object:
    """Load the printers when they are first asked for."""
    if name in {"to_python", "to_yaml"}:
        from ruvon_dsl import printing  # noqa: PLC0415 - see the module's docstring

        found: object = getattr(printing, name)
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
