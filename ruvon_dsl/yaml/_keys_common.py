"""Keys that many step types share, and the small mappings inside them (retry, routes, handlers, rules)."""

from typing import Final

from ruvon_dsl.yaml._keys import Key, Kind, Table

__all__ = [
    "CALL_KEYS",
    "COMMON_KEYS",
    "COMPENSATION",
    "ELIF",
    "EXIT_KEYS",
    "HANDLER",
    "INPUT_KEYS",
    "MERGE_KEYS",
    "OUTPUT",
    "RETRY",
    "ROUTE",
    "RULE",
    "RULES",
    "TARGET",
]

RETRY: Final = Table(
    "a retry policy",
    "When and how often a failed attempt is repeated.",
    (
        Key("max_attempts", Kind.COUNT, "Attempts in all, the first one included (default 3).", ("attempts",)),
        Key("delay", Kind.DURATION, "Wait before the second attempt (default 1s).", ("delay_seconds", "initial_delay")),
        Key(
            "backoff",
            Kind.VALUE,
            "Factor of the wait for each further attempt (default 2.0).",
            ("backoff_multiplier", "multiplier"),
        ),
        Key("max_delay", Kind.DURATION, "Longest wait; none without it.", ("max_delay_seconds",)),
        Key("jitter", Kind.VALUE, "Share of the wait, 0 to 1, that is left to chance (default 0)."),
        Key(
            "on", Kind.TEXTS, "Error classes that are repeated (default: every Exception).", ("retry_on", "exceptions")
        ),
        Key("never", Kind.TEXTS, "Error classes that are never repeated.", ("never_on",)),
    ),
)
COMPENSATION: Final = Table(
    "a compensation",
    "The function that undoes the step, with options.",
    (
        Key("function", Kind.PATH, "The function that undoes the step.", ("function_path",), required=True),
        Key("attempted", Kind.BOOL, "Run it also when the outcome of the step is unknown."),
        Key("retry", Kind.RETRY, "Retry policy of the compensation.", ("retry_policy",), nullable=True, table=RETRY),
    ),
)
ROUTE: Final = Table(
    "a route",
    "One way out: taken when its condition is the first that is true.",
    (
        Key(
            "condition",
            Kind.CONDITION,
            "A bare expression such as `state.amount > 100`.",
            ("if", "when"),
            required=True,
        ),
        Key("next_step", Kind.STEP_NAME, "The step to go to, or END, BREAK, CONTINUE.", ("target", "next", "goto")),
        Key("steps", Kind.STEPS, "Steps to run instead of a jump; they join by themselves.", ("then", "do")),
        Key("description", Kind.TEXT, "Words for people."),
    ),
)
ELIF: Final = Table(
    "an elif",
    "A further condition of an `if`.",
    (
        Key("if", Kind.CONDITION, "A bare expression.", ("elif", "condition"), required=True),
        Key("then", Kind.STEPS, "Steps to run when it is true.", ("steps", "do"), required=True),
    ),
)
HANDLER: Final = Table(
    "a handler",
    "What to do when a step of the TRY fails with one of these errors.",
    (
        Key(
            "error",
            Kind.TEXTS,
            "Error class, a list of them, or `Class as name` (default: Exception).",
            ("errors", "except", "exception"),
        ),
        Key("as", Kind.NAME, "Variable that holds the error inside the handler.", ("name", "error_var")),
        Key("steps", Kind.STEPS, "Steps of the handler.", ("do", "then")),
    ),
)
RULE: Final = Table(
    "an injection rule",
    "Steps that are inserted behind this one when a state field has (or has not) a value.",
    (
        Key("condition_key", Kind.TEXT, "State field that is compared, such as `risk_level`."),
        Key("value_match", Kind.VALUE, "Insert when the field equals this."),
        Key("value_is_not", Kind.VALUE, "Insert when the field differs from this."),
        Key("condition", Kind.CONDITION, "A bare expression instead of the three keys above."),
        Key("action", Kind.CHOICE, "Where the steps go.", choices=("INSERT_AFTER_CURRENT",)),
        Key("steps_to_insert", Kind.STEPS, "The steps.", ("steps",), required=True),
    ),
)
RULES: Final = Table(
    "a dynamic injection",
    "Rules that insert steps behind this one; they lower to decisions when the file is compiled.",
    (Key("rules", Kind.ENTRIES, "The rules, tried in order.", required=True, table=RULE),),
)
TARGET: Final = Table(
    "an output",
    "A variable with its type.",
    (
        Key("name", Kind.TEXT, "The variable.", ("target",), required=True),
        Key("type", Kind.TYPE, "Its type."),
    ),
)

OUTPUT: Final = Key(
    "output",
    Kind.TARGET,
    "What the result is bound to: a variable, `state.field`, a path, or `{name: x, type: T}`.",
    ("output_key", "result_var"),
)
EXIT_KEYS: Final = (
    Key(
        "next",
        Kind.STEP_NAME,
        "The step that follows, or END, BREAK, CONTINUE; default: the next one in the list.",
        ("next_step",),
    ),
    Key("routes", Kind.ROUTES, "Conditions tried in order after the step.", table=ROUTE),
    Key(
        "default", Kind.EXIT, "Where to go when no route is taken: a step name or a list of steps.", ("default_route",)
    ),
)
COMMON_KEYS: Final = (
    Key("name", Kind.TEXT, "The step's name, unique in the file.", ("id", "step_name")),
    Key("type", Kind.TEXT, "The step type; STANDARD when it is missing.", ("step_type",)),
    Key("description", Kind.TEXT, "Words for people; no part of the digest."),
    Key("tags", Kind.TEXTS, "Words for people and filters."),
    Key("automate_next", Kind.BOOL, "Go on to the following step without another call.", ("auto",)),
    Key(
        "dependencies",
        Kind.TEXTS,
        "The steps that must end first, instead of the one before in the list.",
        ("depends_on",),
    ),
    *EXIT_KEYS,
    Key("on_error", Kind.STEP_NAME, "The step to go to when this one fails."),
    Key("dynamic_injection", Kind.TABLE, "Steps to insert by rules; prefer routes.", table=RULES),
)
MERGE_KEYS: Final = (
    Key(
        "merge_strategy",
        Kind.CHOICE,
        "How a dictionary result joins the state: key by key (SHALLOW, also called REPLACE and OVERWRITE_EXISTING; "
        "PRESERVE_EXISTING lets the old value win), or through dicts and models (DEEP).",
        ("merge",),
        choices=("SHALLOW", "DEEP", "REPLACE", "OVERWRITE_EXISTING", "PRESERVE_EXISTING", "APPEND"),
    ),
    Key(
        "merge_conflict_behavior",
        Kind.CHOICE,
        "Who wins when a key is written twice.",
        ("merge_conflict_behaviour", "merge_conflict", "conflict"),
        choices=("PREFER_NEW", "PREFER_EXISTING", "PREFER_OLD", "RAISE_ERROR"),
    ),
    Key("merge_function_path", Kind.PATH, "A function that merges instead.", ("merge_function",)),
)
INPUT_KEYS: Final = (
    Key(
        "input_model",
        Kind.TYPE,
        "Model that the input of the step is validated as.",
        ("input_schema", "input_model_path"),
    ),
    Key("required_input", Kind.TEXTS, "Keys that the input must have.", ("required_inputs",)),
)
CALL_KEYS: Final = (
    Key("inputs", Kind.VALUES, "Arguments by parameter name.", ("args", "kwargs", "arguments", "with")),
    OUTPUT,
    Key("output_model", Kind.TYPE, "Type that the result is validated as.", ("into", "result_model", "output_schema")),
    Key("queue", Kind.TEXT, "Queue whose workers run the step; `null` runs it here.", ("task_queue",), nullable=True),
    Key(
        "retry",
        Kind.RETRY,
        "Retry policy; `null` switches the declared one off.",
        ("retry_policy",),
        nullable=True,
        table=RETRY,
    ),
    Key(
        "timeout",
        Kind.DURATION,
        "Longest time of one attempt; `null` switches the declared one off.",
        ("timeout_seconds",),
        nullable=True,
    ),
    Key("queue_timeout", Kind.DURATION, "Longest wait for a worker.", ("queue_timeout_seconds",), nullable=True),
    Key("deadline", Kind.DURATION, "Longest time of all attempts together.", ("deadline_seconds",), nullable=True),
    Key(
        "concurrency_key",
        Kind.TEXT,
        "The input or field, or path into one or into `state`, that limits of the queue count by; `null` switches the "
        "declared one off.",
        nullable=True,
    ),
    Key(
        "compensate_function",
        Kind.COMPENSATION,
        "The function that undoes the step; `null` switches the declared one off.",
        ("compensate", "compensate_function_path", "compensation"),
        nullable=True,
        table=COMPENSATION,
    ),
    *INPUT_KEYS,
    *MERGE_KEYS,
)
