"""The page of every code of the YAML front end: why it is a mistake, and the smallest file that shows it.

Both files of a page are compiled in the tests: the first must get the code, the second no finding at all.
"""

from collections.abc import Mapping
from textwrap import dedent
from types import MappingProxyType
from typing import Final

from ruvon.ir._diagnostics import CodeInfo

__all__ = ["CODES"]


def _page(title: str, explanation: str, bad: str, good: str) -> CodeInfo:
    return CodeInfo(
        title=title,
        explanation=explanation,
        bad=dedent(bad).lstrip("\n"),
        good=dedent(good).lstrip("\n"),
        language="yaml",
    )


def _steps(*lines: str, head: str = "") -> str:
    """A small file around some lines of steps."""
    body = "\n".join(f"  {line}" for line in lines)
    return f"workflow_type: Example\n{head}steps:\n{body}\n"


_GOOD: Final = _steps("- return: 1")
_DEEP: Final = _steps(f"- return: {'[' * 70}{']' * 70}")
_MANY: Final = _steps("- return: &a [1, 2]", *("- set: {x: *a}" for _ in range(501)))

_TEXTS: Final[Mapping[str, CodeInfo]] = {
    "RV0801": _page(
        "the text is not YAML",
        "The parser cannot read the text; the place is where it gave up, the cause is often a line before. Indents are "
        "spaces, and a text that holds `: ` or begins with a sign must be quoted.",
        "workflow_type: Example\nsteps: [\n",
        _GOOD,
    ),
    "RV0802": _page(
        "the file is too large",
        "A file has at most a million characters and, with aliases expanded, 50,000 values; an expression list ordered "
        "by `dependencies` has at most 1,000 steps. The bounds keep a hostile file from filling the memory. Split the "
        "work into sub-workflows.",
        _MANY,
        _GOOD,
    ),
    "RV0803": _page(
        "nested too deeply",
        "Lists and mappings may stand 64 levels inside each other. Move the inner steps into a sub-workflow.",
        _DEEP,
        _GOOD,
    ),
    "RV0804": _page(
        "an alias without an anchor",
        "`*name` stands for the value marked `&name` before it; there is none, or the alias stands inside it.",
        _steps("- return: *other"),
        _steps("- set: {x: &other 1}", "- return: *other"),
    ),
    "RV0805": _page(
        "a tag",
        "Tags such as `!!python/object` would let a file choose what the reader builds, so every tag is refused. Types "
        "follow from the place of a value; quote a text that looks like a number.",
        _steps("- return: !!str 5"),
        _steps('- return: "5"'),
    ),
    "RV0806": _page(
        "a merge key",
        "`<<` was dropped from YAML 1.2. Write the keys out; options that many steps share stand under `defaults:`.",
        _steps("- <<: {name: First}", "  set: {x: 1}"),
        _steps("- name: First", "  set: {x: 1}"),
    ),
    "RV0807": _page(
        "a key given twice",
        "The second value would silently replace the first. Two spellings of one key (`timeout` and "
        "`timeout_seconds`) count as the same key.",
        _steps("- name: First", "  name: Second", "  set: {x: 1}"),
        _steps("- name: First", "  set: {x: 1}"),
    ),
    "RV0808": _page(
        "a key that is no text",
        "Keys are texts; a list or mapping cannot be one.",
        _steps("- return: {[1]: 2}"),
        _steps('- return: {"1": 2}'),
    ),
    "RV0809": _page(
        "not a workflow file",
        "A workflow file is a mapping with `workflow_type` and `steps`; a registry file one with `workflows`.",
        "- just\n- a list\n",
        _GOOD,
    ),
    "RV0810": _page(
        "an unknown key",
        "The key is in no table of this place, so it would have no effect. Most often it is misspelt.",
        _steps("- name: Pause", "  type: SLEEP", "  duration: 5s", "  descripton: Wait a little."),
        _steps("- name: Pause", "  type: SLEEP", "  duration: 5s", "  description: Wait a little."),
    ),
    "RV0811": _page(
        "a missing key",
        "The step, or the file, cannot work without this key.",
        "workflow_type: Example\n",
        _GOOD,
    ),
    "RV0812": _page(
        "a value of the wrong kind",
        "Under this key stands a value of another kind: a text where a list is expected, a list where one value is. In "
        "YAML 1.2 only `true` and `false` are truth values; `yes` and `on` are texts.",
        _steps("- name: First", "  set: {x: 1}", head="saga_enabled: yes\n"),
        _steps("- name: First", "  set: {x: 1}", head="saga_enabled: true\n"),
    ),
    "RV0813": _page(
        "an unknown step type",
        "`type` names a built-in step type or one of your own. The class of a custom type stands in a module of "
        "`module:`, where checks of the file find it, and is registered with `builder.register_step_type(Class)`, so "
        "that it can run.",
        _steps("- name: Pause", "  type: SLEEEP", "  duration: 5s"),
        _steps("- name: Pause", "  type: SLEEP", "  duration: 5s"),
    ),
    "RV0814": _page(
        "not a duration",
        "A duration is `30s`, `6h`, `1h30m`, `2 days`, ISO 8601 (`PT6H`), or a number of seconds. A limit is longer "
        "than 0.",
        _steps("- name: All", "  type: PARALLEL", "  timeout: soon", "  branches: {one: [{return: 1}]}"),
        _steps("- name: All", "  type: PARALLEL", "  timeout: 30s", "  branches: {one: [{return: 1}]}"),
    ),
    "RV0815": _page(
        "a name that cannot be used",
        "END, BREAK and CONTINUE are targets and cannot name a step; variables and items are Python identifiers.",
        _steps("- name: END", "  set: {x: 1}"),
        _steps("- name: Finish", "  set: {x: 1}"),
    ),
    "RV0816": _page(
        "a name given twice",
        "A jump, a retry, the audit log and the idempotency key name a step, so names are unique in the whole file, "
        "inner lists included. The same holds for the labels of branches and the workflows of a file or registry.",
        _steps("- {name: First, set: {x: 1}}", "- {name: First, set: {x: 2}}"),
        _steps("- {name: First, set: {x: 1}}", "- {name: Second, set: {x: 2}}"),
    ),
    "RV0817": _page(
        "an unknown step",
        "A route, `next` or `on_error` names a step that is not in the file.",
        _steps("- {name: First, set: {x: 1}, next: Secnod}", "- {name: Second, set: {y: 2}}"),
        _steps("- {name: First, set: {x: 1}, next: Second}", "- {name: Second, set: {y: 2}}"),
    ),
    "RV0818": _page(
        "a step that no edge can reach from here",
        "Jumps stay in their own list and in the lists that join it (routes, `else`), or go out of a TRY. The body of a "
        "loop and the branches of a PARALLEL are entered only at their beginning and left by ending, `break`, "
        "`continue`, `return` or `fail`.",
        _steps(
            "- for: x in [1, 2]", "  steps: [{name: Inner, set: {y: =x}}]", "- {name: Last, set: {z: 1}, next: Inner}"
        ),
        _steps("- for: x in [1, 2]", "  steps: [{name: Inner, set: {y: =x}}]", "- {name: Last, set: {z: 1}}"),
    ),
    "RV0819": _page(
        "BREAK or CONTINUE outside a loop",
        "They leave or repeat the innermost loop around them; here is none. To end the list, write `next: END`.",
        _steps("- {name: First, set: {x: 1}, next: BREAK}"),
        _steps("- {name: First, set: {x: 1}, next: END}"),
    ),
    "RV0821": _page(
        "keys that exclude each other",
        "Two of the keys say different things about one matter, or one of them has no meaning without another.",
        _steps("- {name: Pause, type: SLEEP, duration: 5s, until: =now()}"),
        _steps("- {name: Pause, type: SLEEP, duration: 5s}"),
    ),
    "RV0822": _page(
        "an unset variable",
        "`${NAME}` is replaced when the file is loaded; the variable is neither a parameter nor set, and has no default.",
        _steps("- return: ${RUVON_EXAMPLE_UNSET}"),
        _steps("- return: ${RUVON_EXAMPLE_UNSET:-none}"),
    ),
    "RV0823": _page(
        "a name that is not defined",
        "A function, class or module cannot be found. Short names are looked up in `module:`, then in `uses:`, then "
        "among the exceptions of Python and Ruvon; everything else is a path inside the import roots.",
        _steps("- {name: Pay, type: TRY, steps: [{return: 1}], except: [{error: ValueErorr, steps: [{return: 2}]}]}"),
        _steps("- {name: Pay, type: TRY, steps: [{return: 1}], except: [{error: ValueError, steps: [{return: 2}]}]}"),
    ),
    "RV0824": _page(
        "a name of the wrong sort",
        "A step calls a step function, a handler names an exception class, a compensation is a function. Workflows are "
        "started by SUB_WORKFLOW, pure functions and classes are used in expressions.",
        _steps("- {name: Wrong, function: ValueError}"),
        _steps("- {type: FAIL, error: ValueError}"),
    ),
    "RV0825": _page(
        "not a type",
        "A type is a class, or a text such as `list[Item] | None` or `Literal['a', 'b']`.",
        _steps("- set: {x: 1}", head="variables: {x: 'list[int'}\n"),
        _steps("- set: {x: 1}", head="variables: {x: int}\n"),
    ),
    "RV0826": _page(
        "a value that cannot be used",
        "The value is empty or of a form that means nothing in this place.",
        _steps("- if: ''", "  then: [{return: 1}]"),
        _steps("- if: 1 > 0", "  then: [{return: 1}]"),
    ),
    "RV0827": _page(
        "nothing that can be assigned to",
        "An output or target is a variable (letters, digits, underscores), `state.field`, a path below one, or a tuple "
        "of them; `state` itself is never replaced.",
        _steps("- set: {my total: 1}"),
        _steps("- set: {my_total: 1}"),
    ),
    "RV0828": _page(
        "text where a value is meant, or the other way round",
        "`state.amount` without `=` is the text of these characters. Write `=state.amount` for the value, and quote a "
        "text that looks like one.",
        _steps("- return: {amount: soon}", head="result_model: dict[str, int]\n"),
        _steps("- return: {amount: 5}", head="result_model: dict[str, int]\n"),
    ),
    "RV0829": _page(
        "an operator or constant of another language",
        "Conditions and values are Python expressions, whichever form the workflow has: `and`, `or`, `not`, `None`, `True`, "
        "`False`. Outside of expressions YAML's own `null` and `true` are right.",
        _steps("- if: 1 < 2 && 2 < 3", "  then: [{return: 1}]"),
        _steps("- if: 1 < 2 and 2 < 3", "  then: [{return: 1}]"),
    ),
    "RV0830": _page(
        "an unknown dependency",
        "`dependencies` and `after` name steps of the same list or branches of the same step.",
        _steps("- {name: A, set: {x: 1}}", "- {name: B, set: {y: 1}, dependencies: [Aa]}"),
        _steps("- {name: A, set: {x: 1}}", "- {name: B, set: {y: 1}, dependencies: [A]}"),
    ),
    "RV0831": _page(
        "dependencies in a circle",
        "Each of these steps waits for the other, so none could ever start.",
        _steps("- {name: A, set: {x: 1}, dependencies: [B]}", "- {name: B, set: {y: 1}, dependencies: [A]}"),
        _steps("- {name: A, set: {x: 1}}", "- {name: B, set: {y: 1}, dependencies: [A]}"),
    ),
    "RV0832": _page(
        "a route into a step that waits for others",
        "A route chooses whether its target runs; a target that also waits for another step would have to wait for "
        "something that has no part in the choice. Let the deciding step depend on it instead.",
        _steps(
            "- {name: Score, set: {s: 1}, dependencies: []}",
            "- {name: Route, type: DECISION, dependencies: [], routes: [{condition: 1 > 0, next: High}]}",
            "- {name: High, set: {x: 1}, dependencies: [Route, Score]}",
        ),
        _steps(
            "- {name: Score, set: {s: 1}, dependencies: []}",
            "- {name: Route, type: DECISION, dependencies: [Score], routes: [{condition: s > 0, next: High}]}",
            "- {name: High, set: {x: 1}, dependencies: [Route]}",
        ),
    ),
    "RV0833": _page(
        "a jump out of steps that run side by side",
        "Steps that `dependencies` let run at the same time are branches of one PARALLEL; a branch ends, it cannot jump "
        "into another step. Routes may lead to steps that depend on the deciding step alone, or hold `steps:`.",
        _steps(
            "- {name: A, set: {x: 1}, dependencies: []}",
            "- {name: B, set: {y: 1}, dependencies: [], next: C}",
            "- {name: C, set: {z: 1}, dependencies: [A, B]}",
        ),
        _steps(
            "- {name: A, set: {x: 1}, dependencies: []}",
            "- {name: B, set: {y: 1}, dependencies: []}",
            "- {name: C, set: {z: 1}, dependencies: [A, B]}",
        ),
    ),
    "RV0834": _page(
        "a jump into steps that run side by side",
        "A step that runs beside others is a branch of a PARALLEL, which begins with all its branches. Jump to the step "
        "before them.",
        _steps(
            "- {name: A, set: {x: 1}, dependencies: []}",
            "- {name: B, set: {y: 1}, dependencies: []}",
            "- {name: C, set: {z: 1}, dependencies: [A, B], next: A}",
        ),
        _steps(
            "- {name: A, set: {x: 1}, dependencies: []}",
            "- {name: B, set: {y: 1}, dependencies: []}",
            "- {name: C, set: {z: 1}, dependencies: [A, B]}",
        ),
    ),
    "RV0840": _page(
        "nothing below `steps`",
        "`steps:` with nothing below it looks like a file that lost its end. A workflow without steps is `steps: []`.",
        "workflow_type: Example\nsteps:\n",
        _GOOD,
    ),
    "RV0841": _page(
        "a registered workflow that cannot be offered",
        "An entry of the registry names a file that is there, defines the workflow of this type, and finds the packages "
        "that it needs installed.",
        "workflows:\n  - {type: Order, config_file: nowhere/order.yaml}\n",
        "workflows: []\n",
    ),
    "RV0842": _page(
        "a variable with the name of a state field",
        "A plain name on the left of an assignment is a variable of the run, also where the state has a field of this "
        "name. Nothing reads the variable, so the field was meant: it is `state.note`.",
        _steps("- set: {note: checked}", head="initial_state_model: ruvon.ir.expr._examples:ExampleOrder\n"),
        _steps("- set: {state.note: checked}", head="initial_state_model: ruvon.ir.expr._examples:ExampleOrder\n"),
    ),
    "RV0601": _page(
        "a secret in the definition",
        "`${NAME}` is replaced when the file is loaded and becomes part of the stored definition, which is shown, "
        'logged and sent to devices. A secret is fetched when the step runs: `=secret("NAME")`.',
        _steps("- {name: Ask, type: HTTP, url: 'https://example.org', headers: {authorization: '${BANK_API_KEY}'}}"),
        _steps(
            "- {name: Ask, type: HTTP, url: 'https://example.org', headers: {authorization: '=secret(\"BANK_API_KEY\")'}}"
        ),
    ),
}
CODES: Final[Mapping[str, CodeInfo]] = MappingProxyType(dict(sorted(_TEXTS.items())))
"""Every code with its page."""
