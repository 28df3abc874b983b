"""The documented path of the handle class: `from ruvon.workflow import Workflow`.

Importing this module puts it where the decorator `ruvon.workflow` stands, as Python does with every submodule. So the
module is callable and hands calls on to the decorator; the library itself never imports it.
"""

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from ruvon._workflow import Workflow
from ruvon.authoring import workflow as _decorator

__all__ = ["Workflow"]


class _CallableModule(ModuleType):
    """A module that stands in for the decorator of its name."""

    def __call__(self, name: str, /, **options: Any) -> Callable[..., Any]:
        """Decorate a workflow body: see `ruvon.authoring.workflow`."""
        return _decorator(name, **options)


sys.modules[__name__].__class__ = _CallableModule
