"""Names that people write for step types and that are none: what they are called here, or how to say the same."""

from typing import Final

__all__ = ["INSTEAD", "OTHER_NAMES", "REGISTER"]

OTHER_NAMES: Final = {
    other: name
    for name, others in {
        "STANDARD": "CALL FUNCTION STEP SYNC TASK",
        "HUMAN_IN_LOOP": "APPROVAL FORM HUMAN HUMAN_INPUT HUMAN_TASK MANUAL USER_TASK",
        "SUB_WORKFLOW": "CHILD CHILD_WORKFLOW SUBPROCESS SUBWORKFLOW",
        "SLEEP": "DELAY PAUSE TIMER WAIT",
        "RECEIVE": "EVENT MESSAGE SIGNAL WAIT_FOR_EVENT WAIT_FOR_SIGNAL",
        "LOOP": "FOR FOREACH FOR_EACH REPEAT WHILE",
        "DECISION": "BRANCH CHOICE CONDITION IF ROUTER SWITCH",
        "ASSIGN": "SET VARIABLE",
        "RETURN": "END EXIT STOP",
        "FAIL": "ERROR RAISE THROW",
        "HTTP": "HTTP_REQUEST REQUEST REST",
        "AI_INFERENCE": "AI INFERENCE LLM MODEL",
    }.items()
    for other in others.split()
}
"""What other languages call the built-in types."""
REGISTER: Final = "(for a type of your own put its class into `module:` and call `builder.register_step_type(Class)`)"
"""How a custom type becomes known."""
INSTEAD: Final = {
    "HUMAN_APPROVAL": "write `type: HUMAN_IN_LOOP` with `task`, `form`, `show`, `role` and, for `timeout_hours` and "
    "`on_timeout`, `timeout` and `on_timeout`; a step before it tells the people of `approvers` or `channels`",
    "AUDIT_EMIT": "every step is in the audit log already; for an event of your own write `type: STANDARD` with a "
    "function that sends it",
    "COMPLIANCE_CHECK": "write the rules as conditions: `type: DECISION` with `routes`, or a `@pure` function",
    "AI_LLM_INFERENCE": "write `type: AI_INFERENCE` with `model`, `data: {system: .., prompt: ..}`, `max_tokens` and "
    "`output_model` for the answer's shape",
    "EDGE_MODEL_CALL": "write `type: AI_INFERENCE` with `model`, `data: {prompt: ..}`, `max_tokens` and `output_model`",
    "WORKFLOW_BUILDER_META": "where a file comes from stands under `metadata:` at its top; it is no step",
}
"""Types of an earlier implementation that are no types here, and how to say the same."""
