"""The smallest example of every kind of Python's grammar, and what a reader must know of it, for `docs/python.md`."""

from collections.abc import Mapping
from typing import Final

STATEMENTS: Final[Mapping[str, str]] = {
    "AnnAssign": "total: int = 0",
    "Assert": "assert state.total > 0",
    "Assign": "total = state.total",
    "AsyncFor": 'async for at in flow("A"):',
    "AsyncFunctionDef": "async def ship() -> None:",
    "AsyncWith": "async with saga():",
    "AugAssign": "state.count += 1",
    "Break": "break",
    "ClassDef": "class C:",
    "Continue": "continue",
    "Delete": "del total",
    "Expr": "await charge(state)",
    "For": "for item in state.items:",
    "FunctionDef": "def f():",
    "Global": "global total",
    "If": "if state.total > 100:",
    "Import": "import json",
    "ImportFrom": "from json import loads",
    "Match": "match verdict:",
    "Nonlocal": "nonlocal total",
    "Pass": "pass",
    "Raise": "raise Rejected(verdict.reason) from err",
    "Return": "return receipt",
    "Try": "try: ... except Declined as err: ... else: ... finally: ...",
    "TryStar": "try: ... except* Declined: ...",
    "TypeAlias": "type Money = int",
    "While": "while state.open:",
    "With": "with lock:",
}
EXPRESSIONS: Final[Mapping[str, str]] = {
    "Attribute": "state.total",
    "Await": "offer = await quote(state.items)",
    "BinOp": "price * 2 + 1",
    "BoolOp": "a and not b",
    "Call": "len(items)",
    "Compare": "0 < x <= 10",
    "Constant": "'text'",
    "Dict": "{'a': 1, **more}",
    "DictComp": "{k: v for k, v in pairs}",
    "FormattedValue": "f'{total}'",
    "GeneratorExp": "sum(x for x in xs)",
    "IfExp": "a if c else b",
    "Interpolation": "t'{total}'",
    "JoinedStr": "f'{total:.2f} EUR'",
    "Lambda": "lambda x: x",
    "List": "[1, *more]",
    "ListComp": "[x.price for x in xs if x.open]",
    "Name": "state",
    "NamedExpr": "(n := 1)",
    "Set": "{1, 2}",
    "SetComp": "{x.sku for x in xs}",
    "Slice": "xs[1:3]",
    "Starred": "[*xs]",
    "Subscript": "xs[0]",
    "TemplateStr": "t'{total}'",
    "Tuple": "(a, b)",
    "UnaryOp": "-x",
    "Yield": "yield x",
    "YieldFrom": "yield from xs",
}
PATTERNS: Final[Mapping[str, str]] = {
    "MatchAs": "case Verdict() as v:",
    "MatchClass": "case Verdict(approved=True):",
    "MatchMapping": "case {'kind': kind}:",
    "MatchOr": "case 'a' | 'b':",
    "MatchSequence": "case [first, second]:",
    "MatchSingleton": "case None:",
    "MatchStar": "case [first, *rest]:",
    "MatchValue": "case 'done':",
}
"""Each by the name of the class in `ast`. Whether an expression is accepted is asked of the expression language."""

REFUSED: Final[Mapping[str, str]] = {"FunctionDef": "RV0109", "With": "RV0110"}
"""Kinds whose every use is refused though the front end reads them, to say something better."""

NOTES: Final[Mapping[str, str]] = {
    "AnnAssign": "the annotation is the variable's type; without a value it only declares",
    "AsyncFor": "only over `flow(...)`; any other is RV0111",
    "AsyncFunctionDef": "a branch, used in exactly one `gather` or `first_of` (RV0264)",
    "AsyncWith": "only `saga()`; any other is RV0110",
    "Assign": "to names, tuples of names, `state.field`, and paths below the state; several targets are RV0115",
    "AugAssign": "as `x = x op v`, on names, state fields and paths",
    "Await": "as a statement, as the whole right side, in `return`, as a whole condition, in `gather`; deeper is RV0203",
    "Call": "functions of the language, classes, `@pure` functions; steps behind `await`",
    "Expr": "an awaited call, `node(...)`, an in-place change of a fresh list or dict; anything else is RV0118",
    "For": "over a list that is frozen at its start; `else` is accepted",
    "FunctionDef": "only `async def` branches stand inside a workflow",
    "GeneratorExp": "inside a call, such as `sum(...)`, and as `gather(*(f(x) for x in xs))`",
    "ListComp": "with `await` in its element it is a loop that collects",
    "MatchMapping": "the keys are literals; see RV0119 for what cannot be lowered",
    "Match": "the subject is evaluated once; a `case` that no value reaches is RV0409",
    "Raise": "an exception with its arguments; alone inside a handler it raises the handled error again",
    "Try": "classes are matched by path; `except:` is RV0403, `except BaseException` RV0404; leaving from `finally` RV0402",
    "While": "unbounded in Python; a loop without a durable step is RV0305",
    "With": "only `async with saga():` is accepted",
}


STEPS: Final[Mapping[str, str]] = {
    "STANDARD": """
- name: reserve
  function: reserve
  inputs: {item: "=state.items[0]"}
  output: hold
  retry: {max_attempts: 3, delay: 2s, never: [ValueError]}
  compensate: {function: release, retry: {max_attempts: 5}}
- {name: ship, function: ship, timeout: 30s}
""",
    "ASYNC": """
- {name: Score, type: ASYNC, function: check_fraud, queue: scoring, timeout: 5m}
""",
    "DECISION": """
- name: Route
  type: DECISION
  routes:
    - {condition: state.fraud_score > 0.8, next_step: Refuse}
    - {condition: state.vip, steps: [{name: greet, function: validate_address}]}
  default: Ship
- {name: Ship, function: ship, next: END}
- {name: Refuse, set: {state.status: refused}}
""",
    "HTTP": """
- {name: Rates, type: HTTP, url: "https://bank.example/rates/{{ state.order_id }}", output: rates, timeout: 10s}
- name: Pay
  type: HTTP
  http_config: {method: POST, url: "https://bank.example/pay", json: {order: =state.order_id}, expect: [409]}
""",
    "AI_INFERENCE": """
- {name: Score, type: AI_INFERENCE, model: fraud@3, data: {customer: =state.customer}, output: score}
""",
    "WASM": """
- {name: Check, type: WASM, module: limits, data: {customer: =state.customer}, output: verdict, output_model: Verdict}
""",
    "SUB_WORKFLOW": """
- name: Deliver
  type: SUB_WORKFLOW
  workflow_type: Delivery
  initial_data: {order_id: =state.order_id}
  output: delivery
  timeout: 2 days
""",
    "FIRE_AND_FORGET": """
- {name: Tell, type: FIRE_AND_FORGET, workflow_type: Newsletter, initial_data: {customer: =state.customer}}
""",
    "CRON_SCHEDULE": """
- {name: Weekly, type: CRON_SCHEDULE, workflow_type: Report, cron_expression: "0 9 * * MON", timezone: Europe/Berlin}
""",
    "SLEEP": """
- {name: Cool_off, type: SLEEP, duration: 2 days}
""",
    "RECEIVE": """
- {name: paid, type: RECEIVE, model: Payment, key: =state.order_id, output: payment, timeout: 5d}
- {set: {state.payment_id: =payment.payment_id}}
""",
    "HUMAN_IN_LOOP": """
- name: approve
  type: HUMAN_IN_LOOP
  task: finance.approve
  form: Verdict
  show: {customer: =state.customer}
  role: finance
  output: verdict
  timeout: 2 days
  on_timeout: {approved: false, reason: nobody answered}
- {set: {state.status: =verdict.reason}}
""",
    "RESTART": """
- {name: Again, type: RESTART, data: =state}
""",
    "PARALLEL": """
- name: Checks
  type: PARALLEL
  tasks:
    - {name: fraud, function: check_fraud}
    - {name: address, function: validate_address}
- {name: Holds, type: PARALLEL, iterate_over: state.items, task_function: reserve, limit: 5, output: holds}
""",
    "FORK": """
- name: Checks
  type: FORK
  branches:
    fraud: [{function: check_fraud}]
    address: [{function: validate_address}]
    ship: {after: [fraud, address], steps: [{function: ship}]}
""",
    "RACE": """
- name: First
  type: RACE
  branches:
    answer: [{type: HUMAN_IN_LOOP, task: finance.approve, form: Verdict}]
    late: [{type: SLEEP, duration: 2 days}]
""",
    "LOOP": """
- name: Holds
  type: LOOP
  mode: ITERATE
  iterate_over: state.items
  item_var_name: item
  index_var_name: number
  loop_body:
    - {function: reserve, inputs: {item: =item}}
    - {set: {state.status: "reserved {{ number + 1 }}"}}
""",
    "TRY": """
- name: Guarded
  type: TRY
  saga: true
  steps: [{function: ship}]
  except:
    - {error: [ConnectionError, TimeoutError], as: why, steps: [{set: {state.status: "failed: {{ why }}"}}]}
  else: [{set: {state.status: shipped}}]
  finally: [{function: validate_address}]
""",
    "ASSIGN": """
- {name: Note, type: ASSIGN, target: state.status, value: checked}
""",
    "RETURN": """
- {name: Done, type: RETURN, value: =state.order_id}
""",
    "FAIL": """
- {name: Refuse, type: FAIL, error: ValueError, message: "no stock for {{ state.order_id }}"}
""",
    "BREAK": """
- for: item in state.items
  do:
    - {if: item.quantity > 100, then: [{name: Enough, type: BREAK}]}
    - {function: reserve, inputs: {item: =item}}
""",
    "CONTINUE": """
- for: item in state.items
  do:
    - {if: item.quantity > 100, then: [{name: Skip, type: CONTINUE}]}
    - {function: reserve, inputs: {item: =item}}
""",
    "- set": """
- set: {state.status: checked, total: 0}
- return: =total
""",
    "- append": """
- set: {names: []}
- append: {names: =state.customer}
- return: =names
""",
    "- extend": """
- set: {names: "=[state.customer]"}
- extend: {names: [Ada, Grace]}
- return: =names
""",
    "- update": """
- set: {found: {customer: =state.customer}}
- update: {found: {order: =state.order_id}}
- return: =found
""",
    "- if": """
- if: state.fraud_score > 0.8
  then: [{function: validate_address}]
  elif:
    - {if: state.vip, then: [{function: ship}]}
  else: [{function: check_fraud}]
""",
    "- for": """
- for: item in state.items
  index: number
  do:
    - {function: reserve, inputs: {item: =item}}
    - {set: {state.status: "reserved {{ number + 1 }}"}}
""",
    "- while": """
- while: state.fraud_score > 0.5
  max_iterations: 10
  do: [{function: check_fraud}]
""",
    "- return": """
- return: =state.order_id
""",
    "- fail": """
- if: not state.items
  then: [{fail: ValueError, message: nothing was ordered}]
""",
    "- goto": """
- {name: Check, function: check_fraud}
- if: state.fraud_score > 0.5
  then: [{goto: Check}]
""",
    "- break": """
- for: item in state.items
  do:
    - {if: item.quantity > 100, then: [break]}
    - {function: reserve, inputs: {item: =item}}
""",
    "- continue": """
- for: item in state.items
  do:
    - {if: item.quantity > 100, then: [continue]}
    - {function: reserve, inputs: {item: =item}}
""",
}
"""Steps of every type and short form, for `docs/yaml.md`; they stand under `STEPS_HEAD`."""

STEPS_HEAD: Final = """\
workflow_type: Example
module: examples.order_processing.steps
uses: {Verdict: "examples.order_processing.models:Verdict", Payment: "examples.order_processing.models:Payment"}
initial_state_model: Order
saga_enabled: true
steps:
"""
"""The beginning of the file that the examples of steps are part of."""
