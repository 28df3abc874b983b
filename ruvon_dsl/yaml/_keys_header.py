"""The keys of a workflow file's header and of the registry file."""

from types import MappingProxyType
from typing import Final

from ruvon.cron import OVERLAPS
from ruvon_dsl.yaml._keys import Key, Kind, Table
from ruvon_dsl.yaml._keys_common import RETRY

__all__ = ["DEFAULTS", "REGISTRY", "REGISTRY_ENTRY", "WORKFLOW"]

DEFAULTS: Final = Table(
    "the defaults",
    "Options of every call of the file that neither the step nor the function's declaration gives.",
    (
        Key("retry", Kind.RETRY, "Retry policy.", ("retry_policy",), table=RETRY),
        Key("timeout", Kind.DURATION, "Longest time of one attempt.", ("timeout_seconds",)),
        Key("queue", Kind.TEXT, "Queue whose workers run the steps.", ("task_queue",)),
        Key("queue_timeout", Kind.DURATION, "Longest wait for a worker.", ("queue_timeout_seconds",)),
        Key("deadline", Kind.DURATION, "Longest time of all attempts together.", ("deadline_seconds",)),
        Key("automate_next", Kind.BOOL, "Go on without another call."),
    ),
)
WORKFLOW: Final = Table(
    "the workflow",
    "A workflow file: a header and its steps.",
    (
        Key("workflow_type", Kind.TEXT, "Name of the workflow.", ("type", "name"), required=True),
        Key("workflow_version", Kind.TEXT, 'Version (default "1.0.0").', ("version",)),
        Key("description", Kind.TEXT, "Words for people; no part of the digest."),
        Key(
            "initial_state_model",
            Kind.TYPE,
            "Class of the state.",
            ("initial_state_model_path", "state_model", "state"),
        ),
        Key(
            "result_model",
            Kind.TYPE,
            "Type of the result; without it the final state is the result.",
            ("result", "result_type"),
        ),
        Key("steps", Kind.STEPS, "The steps, in order.", required=True),
        Key(
            "saga_enabled",
            Kind.BOOL,
            "Undo completed steps when an error ends the workflow (default false).",
            ("saga_mode", "saga"),
        ),
        Key("strict_results", Kind.BOOL, "A returned key that is no state field is an error (default false)."),
        Key("automate_next", Kind.BOOL, "Default of the steps' `automate_next` (default false)."),
        Key("module", Kind.TEXTS, "Module, or modules, where short names are looked up first.", ("modules",)),
        Key(
            "uses", Kind.PATHS, "Short names for classes and functions: `{Receipt: shop.models:Receipt}`.", ("imports",)
        ),
        Key("variables", Kind.TYPES, "Types of variables."),
        Key("defaults", Kind.TABLE, "Options of every call of the file.", table=DEFAULTS),
        Key("parameters", Kind.CONSTANTS, "Values for `${name}` and for expressions, fixed when the file is loaded."),
        Key("env", Kind.CONSTANTS, "Environment variables that the file uses, with their defaults (`null`: none)."),
        Key("history", Kind.COUNT, "Log rows kept for each instance; without it all.", nullable=True),
        Key(
            "commit",
            Kind.CHOICE,
            "Commit after each step, or once per turn of the outermost loop.",
            choices=("step", "iteration"),
        ),
        Key(
            "timeout",
            Kind.DURATION,
            "How long a run may take, from its creation to its end; then it ends with WorkflowTimeoutError.",
            nullable=True,
        ),
        Key("requires", Kind.TEXTS, "Packages that must be installed; no part of the definition."),
        Key("owner", Kind.TEXT, "Who answers for the workflow."),
        Key("tags", Kind.TEXTS, "Words for people and filters."),
        Key("metadata", Kind.FREE, "Anything for people and tools; no part of the definition."),
    ),
    elsewhere=MappingProxyType(
        {
            "automate_start": "whoever creates an instance starts it, with `run()` or `next_step()`; how far it goes "
            "then by itself is `automate_next`",
            "schedule": "a recurring start stands in the registry file, beside the workflow's `config_file`",
            "enabled": "whether the workflow is offered stands in the registry file",
            "config_file": "that is a key of the registry file, which lists the workflow files",
        }
    ),
)
REGISTRY_ENTRY: Final = Table(
    "a registry entry",
    "One workflow of the registry.",
    (
        Key("type", Kind.TEXT, "Name of the workflow.", ("workflow_type", "name"), required=True),
        Key("description", Kind.TEXT, "Words for people."),
        Key("config_file", Kind.TEXT, "The workflow file, relative to the registry.", ("file", "path"), required=True),
        Key(
            "initial_state_model",
            Kind.TEXT,
            "Class of the state; must agree with the file.",
            ("initial_state_model_path",),
        ),
        Key("requires", Kind.TEXTS, "Packages that must be installed."),
        Key("schedule", Kind.TEXT, "Cron expression of a recurring start.", ("cron", "cron_expression")),
        Key("timezone", Kind.TEXT, "Time zone of the schedule (default UTC).", ("tz",)),
        Key("overlap", Kind.CHOICE, "What a start does while the last run still goes on.", choices=OVERLAPS),
        Key("catch_up", Kind.COUNT, "Missed runs that are made up for (default 1)."),
        Key("retention", Kind.DURATION, "How long ended runs are kept; without it, for ever."),
        Key("enabled", Kind.BOOL, "Whether the workflow is offered (default true)."),
    ),
)
REGISTRY: Final = Table(
    "the registry",
    "A registry file: the workflows that a builder offers.",
    (Key("workflows", Kind.ENTRIES, "The workflows.", required=True, table=REGISTRY_ENTRY),),
)
