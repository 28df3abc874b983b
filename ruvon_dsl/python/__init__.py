"""The Python front end: a module with `@workflow` functions to drafts of definitions."""

from ruvon_dsl.python._lower import FoundWorkflow, find_workflows, lower_module

__all__ = ["FoundWorkflow", "find_workflows", "lower_module"]
