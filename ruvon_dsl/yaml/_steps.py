"""From YAML nodes to `Item`s: which table a step belongs to, and the lists, routes and handlers inside it."""

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final, TypeAlias, final

from ruvon.ir._diagnostics import Edit, Fix
from ruvon.ir._nodes import AssignOperation
from ruvon.ir._spans import Span
from ruvon_dsl.yaml import _codes as codes
from ruvon_dsl.yaml._check import Fields, check_fields, is_null, texts_of
from ruvon_dsl.yaml._findings import Findings, listed
from ruvon_dsl.yaml._keys import Key, Kind, Table
from ruvon_dsl.yaml._keys_common import ELIF, HANDLER, ROUTE, RULE, RULES
from ruvon_dsl.yaml._keys_flow import BRANCH, FLOW_TABLES, SHORT_TABLES, TASK_KEYS
from ruvon_dsl.yaml._keys_steps import CUSTOM, EFFECT_TABLES
from ruvon_dsl.yaml._tree import Arm, AssignPart, Block, BranchItem, Exit, HandlerItem, Item, Jump, RuleItem
from ruvon_dsl.yaml._type_names import INSTEAD, OTHER_NAMES, REGISTER
from ruvon_dsl.yaml._values import Entry, MappingNode, ScalarNode, SequenceNode, YamlNode, kind_of

__all__ = ["STEP_TABLES", "StepParser", "StepTypes"]

StepTypes: TypeAlias = Callable[[str], tuple[str, ...] | None]
"""From the name of a custom step type to the names of its fields (empty: any), or None for an unknown name."""

STEP_TABLES: Final[Mapping[str, Table]] = MappingProxyType({**EFFECT_TABLES, **FLOW_TABLES})
"""Every built-in step type with its keys."""

_SHORT_KINDS: Final = {
    "set": "ASSIGN",
    "append": "ASSIGN",
    "extend": "ASSIGN",
    "update": "ASSIGN",
    "if": "DECISION",
    "for": "LOOP",
    "while": "LOOP",
    "return": "RETURN",
    "fail": "FAIL",
    "goto": "GOTO",
    "break": "BREAK",
    "continue": "CONTINUE",
}
_OPERATIONS: Final = {
    "set": AssignOperation.SET,
    "append": AssignOperation.APPEND,
    "extend": AssignOperation.EXTEND,
    "update": AssignOperation.UPDATE,
}
_CUSTOM_NAME: Final = re.compile(r"[A-Z][A-Z0-9_]{1,60}")
_EMPTY: Final = Table("a step", "", ())


def _task_table(table: Table) -> Table:
    return Table(table.name, table.doc, (*table.keys, *TASK_KEYS), table.open)


_TASK_TABLES: Final = {name: _task_table(table) for name, table in STEP_TABLES.items()}
_CUSTOM_TASK: Final = _task_table(CUSTOM)


@final
class StepParser:
    """Parses the lists of steps of one file.

    Args:
        found: Where findings go.
        step_types: The registered custom types; None where nothing may be imported to know them.
    """

    def __init__(self, found: Findings, step_types: StepTypes | None) -> None:
        self._found = found
        self._step_types = step_types

    def block(self, entry: Entry) -> Block:
        """A list of steps; a single step may stand without the list."""
        node = entry.value
        match node:
            case SequenceNode(items=items):
                found = (self.item(item) for item in items)
                return Block([item for item in found if item is not None], node.span)
            case MappingNode():
                item = self.item(node)
                return Block([] if item is None else [item], node.span)
            case ScalarNode():
                if not is_null(node):
                    message = f"`{entry.key.text}` is {kind_of(node)}, not a list of steps"
                    self._found.error(
                        codes.WRONG_KIND, message, node.span, "write the steps below it, each after a `-`"
                    )
                return Block([], node.span)

    def item(self, node: YamlNode, *, task: bool = False) -> Item | None:
        """One step, or None for what cannot be one."""
        if isinstance(node, ScalarNode) and node.text in {"break", "continue", "return"}:
            fields = Fields(_EMPTY, node.span)
            return Item(node.text.upper(), fields, node.span, short=True)
        if not isinstance(node, MappingNode):
            message = f"a step is a mapping, not {kind_of(node)}"
            self._found.error(
                codes.WRONG_KIND, message, node.span, "write `name:` and `function:`, or a short form such as `set:`"
            )
            return None
        kind, table, short = self._table(node, task=task)
        if kind is None:
            return None
        fields = check_fields(node, table, self._found)
        item = Item(kind, fields, _head_span(node), short=short)
        name = fields.node("name")
        item.name = name if isinstance(name, ScalarNode) else None
        self._structure(item)
        return item

    def _table(self, node: MappingNode, *, task: bool) -> tuple[str | None, Table, bool]:
        entry = node.get("type", "step_type")
        if entry is not None and not is_null(entry.value):
            return self._typed(node, entry, task=task)
        markers = [key for key in SHORT_TABLES if node.get(key) is not None]
        if markers and node.get("function", "function_path") is None:
            if len(markers) > 1:
                clash = node.get(markers[1])
                span = node.span if clash is None else clash.key.span
                self._found.error(
                    codes.KEY_CLASH, f"{listed(markers)} are steps of their own", span, "write one step for each"
                )
                return None, _EMPTY, False
            table = SHORT_TABLES[markers[0]]
            return _SHORT_KINDS[markers[0]], _task_table(table) if task else table, True
        tables = _TASK_TABLES if task else STEP_TABLES
        return "STANDARD", tables["STANDARD"], False

    def _typed(self, step: MappingNode, entry: Entry, *, task: bool) -> tuple[str | None, Table, bool]:
        node = entry.value
        if not isinstance(node, ScalarNode):
            self._found.error(codes.WRONG_KIND, f"`type` is {kind_of(node)}, not a text", node.span)
            return None, _EMPTY, False
        tables = _TASK_TABLES if task else STEP_TABLES
        upper = node.text.upper()
        if upper in tables:
            return upper, tables[upper], False
        known = self._registered(node.text)
        if known is not None:
            return node.text, self._custom_table(node.text, known, task=task), False
        meant = self._unknown_type(node)
        return (
            (meant, tables[meant], False)
            if meant in tables and _is_like(step, tables[meant])
            else (None, _EMPTY, False)
        )

    def _unknown_type(self, node: ScalarNode) -> str:
        """Report a type that there is none of; the one that is offered as an edit, "" where none is."""
        upper = node.text.upper()
        near = self._found.closest(OTHER_NAMES.get(upper, node.text), list(STEP_TABLES))
        word = near.split("`")[1] if near else ""
        fix = Fix(f"write `{word}`", (Edit(node.span, word),)) if word and upper not in INSTEAD else None
        help_ = INSTEAD.get(upper) or f"{near or f'the built-in types are {listed(STEP_TABLES)}'} {REGISTER}"
        self._found.error(codes.UNKNOWN_TYPE, f"there is no step type `{node.text}`", node.span, help_, fix=fix)
        return word if fix is not None else ""

    def _registered(self, name: str) -> tuple[str, ...] | None:
        """The fields of a custom type, or None for an unknown one.

        Where nothing is imported, a name in capitals that resembles no built-in type may be one.
        """
        if self._step_types is not None:
            return self._step_types(name)
        resembles = name in OTHER_NAMES or name in INSTEAD or get_close_matches(name, STEP_TABLES, 1, 0.75)
        return () if _CUSTOM_NAME.fullmatch(name) and not resembles else None

    def _custom_table(self, name: str, known: tuple[str, ...], *, task: bool) -> Table:
        base = _CUSTOM_TASK if task else CUSTOM
        if not known:
            return base
        fields = tuple(
            Key(field, Kind.VALUE, f"Field of {name}.") for field in known if field not in base.by_spelling()
        )
        return Table(f"a {name} step", base.doc, (*base.keys, *fields))

    # --- what stands inside a step ------------------------------------------------------------------------------------

    def _structure(self, item: Item) -> None:
        fields = item.fields
        item.next = _jump(fields.node("next"))
        item.on_error = _jump(fields.node("on_error"))
        if "dependencies" in fields:
            item.dependencies = fields.texts("dependencies")
        item.arms = [arm for node in _listed(fields.node("routes")) if (arm := self._arm(node)) is not None]
        self._default(item)
        if item.kind == "DECISION" and item.short:
            self._if(item)
        item.rules = self._rules(fields)
        for name in ("steps", "loop_body", "else", "finally"):
            entry = fields.entry(name)
            if entry is not None and name == "else" and item.kind == "LOOP" and isinstance(entry.value, ScalarNode):
                item.exhausted = _jump(None if is_null(entry.value) else entry.value)
            elif entry is not None and not (item.kind == "DECISION" and item.short):
                block = self.block(entry)
                # Without steps these two are none, but for the `else` of a TRY: its handlers go past it even so.
                if block.items or name not in {"else", "finally"} or (name == "else" and item.kind == "TRY"):
                    item.blocks[name] = block
        item.handlers = [
            self._handler(node) for node in _listed(fields.node("except")) if self._is_mapping(node, "a handler")
        ]
        self._branches(item)
        self._assigns(item)

    def _arm(self, node: YamlNode) -> Arm | None:
        if not isinstance(node, MappingNode):
            self._is_mapping(node, "a route")
            return None
        fields = check_fields(node, ROUTE, self._found)
        condition = fields.node("condition")
        jump = _jump(fields.node("next_step"))
        steps = fields.entry("steps")
        if (jump is None) == (steps is None):
            message = "a route leads to a step or holds steps, not both" if jump else "a route leads nowhere"
            self._found.error(codes.KEY_CLASH, message, fields.span, "write `next_step: NAME` or `steps:`")
        if not isinstance(condition, ScalarNode):
            return None
        exit_: Exit = jump if jump is not None else Block([], node.span) if steps is None else self.block(steps)
        return Arm(condition, exit_)

    def _default(self, item: Item) -> None:
        name = (
            "default_route"
            if item.kind in {"AI_INFERENCE", "WASM"}  # their `default` is a result
            else "default"
        )
        entry = item.fields.entry(name)
        if entry is None or item.short:
            return
        if isinstance(entry.value, ScalarNode):
            item.default = _jump(None if is_null(entry.value) else entry.value)
        else:
            item.default = self.block(entry)

    def _if(self, item: Item) -> None:
        fields = item.fields
        condition, then = fields.node("condition"), fields.entry("then")
        if isinstance(condition, ScalarNode) and then is not None:
            item.arms.append(Arm(condition, self.block(then)))
        for node in _listed(fields.node("elif")):
            if isinstance(node, MappingNode):
                inner = check_fields(node, ELIF, self._found)
                test, steps = inner.node("if"), inner.entry("then")
                if isinstance(test, ScalarNode) and steps is not None:
                    item.arms.append(Arm(test, self.block(steps)))
            else:
                self._is_mapping(node, "an elif")
        otherwise = fields.entry("else")
        if otherwise is not None:
            item.default = self.block(otherwise)

    def _rules(self, fields: Fields) -> list[RuleItem]:
        node = fields.node("dynamic_injection")
        if not isinstance(node, MappingNode):
            return []
        found: list[RuleItem] = []
        for rule in _listed(check_fields(node, RULES, self._found).node("rules")):
            if not isinstance(rule, MappingNode):
                self._is_mapping(rule, "an injection rule")
                continue
            inner = check_fields(rule, RULE, self._found)
            steps = inner.entry("steps_to_insert")
            if steps is not None:
                found.append(RuleItem(inner, self.block(steps)))
        return found

    def _handler(self, node: YamlNode) -> HandlerItem:
        if not isinstance(node, MappingNode):
            return HandlerItem([], None, Block([], node.span))
        fields = check_fields(node, HANDLER, self._found)
        classes: list[tuple[str, Span]] = []
        name = fields.text("as")
        for scalar in fields.texts("error"):
            text, word, variable = scalar.text.partition(" as ")
            classes.append((text.strip(), scalar.span))
            name = variable.strip() if word else name
        steps = fields.entry("steps")
        return HandlerItem(classes, name, Block([], node.span) if steps is None else self.block(steps))

    def _branches(self, item: Item) -> None:
        fields = item.fields
        tasks = fields.node("tasks")
        if isinstance(tasks, SequenceNode):
            for node in tasks.items:
                self._task(item, node)
        elif tasks is not None:
            self._found.error(
                codes.WRONG_KIND, f"`tasks` is {kind_of(tasks)}, not a list", tasks.span, "write each task after a `-`"
            )
        branches = fields.node("branches")
        if isinstance(branches, MappingNode):
            item.branches.extend(self._branch(entry) for entry in branches.entries)
        single = fields.node("task") if item.kind in {"PARALLEL", "FORK"} else None
        if single is not None:
            made = self.item(single, task=True)
            item.blocks["task"] = Block([] if made is None else [made], single.span)

        function = fields.entry("task_function")
        if function is not None and not is_null(function.value):
            inputs = fields.entry("inputs")
            entries = {"function": function, **({"inputs": inputs} if inputs is not None else {})}
            step = Item("STANDARD", Fields(STEP_TABLES["STANDARD"], function.value.span, entries), function.value.span)
            item.blocks["task_function"] = Block([step], function.value.span)

    def _task(self, item: Item, node: YamlNode) -> None:
        made = self.item(node, task=True)
        if made is None:
            return
        label = made.fields.text("label") or (made.name.text if made.name is not None else None)
        after = made.fields.texts("after") or (made.dependencies or [])
        made.dependencies = None
        won = made.fields.flag("won") or False
        branch = BranchItem(
            label, Block([made], made.span), made.span, after, made.fields.node("output"), won, task=True
        )
        item.branches.append(branch)

    def _branch(self, entry: Entry) -> BranchItem:
        node = entry.value
        if isinstance(node, MappingNode) and node.get("steps", "do") is not None:
            fields = check_fields(node, BRANCH, self._found)
            steps = fields.entry("steps")
            block = Block([], node.span) if steps is None else self.block(steps)
            won = fields.flag("won") or False
            return BranchItem(entry.key.text, block, entry.key.span, fields.texts("after"), fields.node("output"), won)
        return BranchItem(entry.key.text, self.block(entry), entry.key.span)

    def _assigns(self, item: Item) -> None:
        if item.kind != "ASSIGN":
            return
        fields = item.fields
        target, value = fields.node("target"), fields.entry("value")
        if target is not None or value is not None:
            operation = _OPERATIONS[fields.choice("operation") or "set"]
            if target is None or value is None:
                missing = "`target`" if target is None else "`value`"
                self._found.error(codes.MISSING_KEY, f"an assignment without {missing}", item.span, f"add {missing}")
            else:
                item.assigns.append(AssignPart(operation, target, value.value))
        for name, operation in _OPERATIONS.items():
            node = fields.node(name)
            for entry in node.entries if isinstance(node, MappingNode) else ():
                item.assigns.append(AssignPart(operation, entry.key, entry.value))
        if not item.assigns and "target" not in fields and "value" not in fields:
            self._found.error(
                codes.MISSING_KEY, "the assignment assigns nothing", item.span, "write `set: {name: value}`"
            )

    def _is_mapping(self, node: YamlNode, what: str) -> bool:
        if isinstance(node, MappingNode):
            return True
        self._found.error(codes.WRONG_KIND, f"{what} is a mapping, not {kind_of(node)}", node.span)
        return False


def _listed(node: YamlNode | None) -> tuple[YamlNode, ...]:
    match node:
        case SequenceNode(items=items):
            return items
        case MappingNode():
            return (node,)
        case _:
            return ()


def _jump(node: YamlNode | None) -> Jump | None:
    texts = [] if node is None else texts_of(node)
    return Jump(texts[0].text, texts[0].span) if texts else None


def _head_span(node: MappingNode) -> Span:
    """The first line of a step: enough to point at, without underlining everything inside it."""
    if not node.entries:
        return node.span
    first = node.entries[0]
    end = first.value.span if isinstance(first.value, ScalarNode) and first.value.text else first.key.span
    return first.key.span.to(end)


def _is_like(step: MappingNode, table: Table) -> bool:
    """Whether a step has the keys of a type, and no other; asked of those that give something which others read."""
    if step.get("output") is None:
        return False
    spellings = table.by_spelling()
    given = {spellings[entry.key.text].name for entry in step.entries if entry.key.text in spellings}
    return len(given) == len(step.entries) and all(key.name in given for key in table.keys if key.required)
