"""What each action does when it is reached: one module per action, and the registry of step types."""

from ruvon.steps._registry import CALL_TYPES, CallFactory, compile_node, register_call_type

__all__ = ["CALL_TYPES", "CallFactory", "compile_node", "register_call_type"]
