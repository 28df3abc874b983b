"""Lists of steps as nodes and edges: the order of the list, routes, jumps, injected steps and `on_error`.

Every edge of the graph is explicit. A list is lowered with the target that follows it (`Place.after`), so nested lists of
routes join by themselves; each list is lowered from its end to its beginning, because an edge needs what it leads to.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final, final

from ruvon.ir._nodes import END, Action, Decision, Display, Graph, Handler, Node, Return, Route, Target, Try
from ruvon.ir.expr import _nodes as e
from ruvon.ir.expr._nodes import Expr
from ruvon_dsl.yaml import _codes as codes
from ruvon_dsl.yaml._blocks import lower_parallel, lower_try
from ruvon_dsl.yaml._calls import lower_call, lower_restart
from ruvon_dsl.yaml._context import FileContext
from ruvon_dsl.yaml._dependencies import Plan, has_dependencies, plan
from ruvon_dsl.yaml._ends import lower_assigns, lower_fail, lower_return
from ruvon_dsl.yaml._graphs import Place, Scope, ScopeKind, joined_lists, loop_exit, own_items
from ruvon_dsl.yaml._loops import lower_loop
from ruvon_dsl.yaml._naming import known_name
from ruvon_dsl.yaml._services import lower_http, lower_model_call
from ruvon_dsl.yaml._starts import lower_start
from ruvon_dsl.yaml._stretches import close_stretches, lower_stretch
from ruvon_dsl.yaml._tree import Block, Exit, Item, Jump, RuleItem, walk_items
from ruvon_dsl.yaml._values import ScalarNode
from ruvon_dsl.yaml._waits import lower_human, lower_receive, lower_sleep

__all__ = ["Lowering", "implicit_ids"]

_NO_NEXT: Final = frozenset({"RETURN", "FAIL", "BREAK", "CONTINUE", "GOTO", "RESTART"})


@final
class Lowering:
    """Lowers the steps of one file."""

    def __init__(self, context: FileContext) -> None:
        self._context = context
        self._plans: dict[int, Plan] = {}

    @property
    def context(self) -> FileContext:
        """The file."""
        return self._context

    def graph(
        self,
        block: Block,
        kind: ScopeKind,
        parent: Scope | None,
        *,
        after: Target = END,
        past_end: Target | None = None,
        supplies: frozenset[str] = frozenset(),
    ) -> Graph:
        """A list as a graph of its own; `after` is where its end leads."""
        scope = Scope(kind, self._context, parent, past_end, supplies)
        self.open(scope, block)
        return scope.graph(self.steps(block, Place(scope, after)))

    def open(self, scope: Scope, block: Block) -> None:
        """Declare the steps of a list in a scope; those inside stretches of dependencies are closed to edges."""
        scope.take(own_items(block))
        self.close(scope, joined_lists(block))

    def close(self, scope: Scope, blocks: Iterable[Block]) -> None:
        """Take the steps of concurrent stretches out of the names of a scope."""
        for block in blocks:
            if has_dependencies(block):
                close_stretches(scope, block, self.plan(block))

    def plan(self, block: Block) -> Plan:
        """The order of a list with dependencies."""
        if id(block) not in self._plans:
            self._plans[id(block)] = plan(block, lambda item: known_name(item, self._context), self._context.found)
        return self._plans[id(block)]

    def steps(self, block: Block, place: Place) -> Target:
        """A list that joins in the graph of `place`; gives its entry."""
        if has_dependencies(block):
            return self._planned(block, place)
        target = place.after
        follower: Item | None = None
        for item in reversed(block.items):
            target = self.item(item, target, place, follower)
            follower = item
        return target

    def _planned(self, block: Block, place: Place) -> Target:
        target = place.after
        number = len(self.plan(block).starts)
        follower: Item | None = None
        for section in reversed(self.plan(block).sections):
            if len(section) > 1:
                number -= 1
                target = lower_stretch(self, section, block.gathers.get(number, "gather"), target, place)
                follower = None
                continue
            for inner in section[0].targets:
                self.item(inner, target, place, None)
            target = self.item(section[0].item, target, place, follower)
            follower = section[0].item
        return target

    # --- one step -----------------------------------------------------------------------------------------------------

    def entry(self, item: Item, place: Place) -> Target:
        """Where an edge to a step leads."""
        if item.kind in {"BREAK", "CONTINUE"}:
            return loop_exit(place.scope, item.kind, item.span)
        return item.try_id or item.id

    def item(self, item: Item, following: Target, place: Place, follower: Item | None) -> Target:
        """One step; gives its entry. `follower` is the next step of the list, which may take a person's answer."""
        if item.kind in {"BREAK", "CONTINUE"}:
            return self.entry(item, place)
        if item.kind == "GOTO":
            return place.after if item.next is None else place.resolve(item.next, self.entry)
        scope = place.scope
        target = following if item.next is None else place.resolve(item.next, self.entry)
        if item.next is not None:
            follower = scope.names.get(item.next.target)
        if item.decides:
            target = self._decision(item, target, place)
        for rule in reversed(item.rules):
            target = self._rule(rule, item, target, place)
        if not item.acts:
            if item.rules:
                message = "injected steps stand behind a step that does something, and this one only decides"
                self._context.found.error(
                    codes.KEY_CLASH,
                    message,
                    item.fields.span_of("dynamic_injection"),
                    "put the rules on the step before, or write routes",
                )
            return item.id
        if item.on_error is not None:
            self._guarded(item, item.on_error, target, place, follower)
        else:
            self._action(item, target, place, follower)
        return self.entry(item, place)

    def _decision(self, item: Item, join: Target, place: Place) -> Target:
        routes = tuple(
            Route(condition=self._context.exprs.bare(arm.condition), target=self._exit(arm.exit, join, place))
            for arm in item.arms
        )
        default = join if item.default is None else self._exit(item.default, join, place)
        if not routes and item.default is None and not item.short:  # an `if` without `then` was reported
            message = f"`{item.id}` decides nothing: it has no routes"
            self._context.found.error(codes.MISSING_KEY, message, item.span, "add `routes:`, or another `type:`")
        action = Decision(routes=routes, default=default, injected=item.fields.flag("injected") or False)
        return place.scope.add(item.route_id, action, None, item)

    def _exit(self, exit_: Exit, join: Target, place: Place) -> Target:
        if isinstance(exit_, Jump):
            return place.resolve(exit_, self.entry)
        return self.steps(exit_, Place(place.scope, join))

    def _rule(self, rule: RuleItem, item: Item, target: Target, place: Place) -> Target:
        entry = self.steps(rule.block, Place(place.scope, target))
        route = Route(condition=self._rule_condition(rule), target=entry)
        action = Decision(routes=(route,), default=target, injected=True)
        return place.scope.add(rule.id, action, None, item)

    def _rule_condition(self, rule: RuleItem) -> Expr:
        fields, exprs = rule.fields, self._context.exprs
        condition, key = fields.node("condition"), fields.node("condition_key")
        if isinstance(condition, ScalarNode):
            return exprs.bare(condition)
        wanted = [name for name in ("value_match", "value_is_not") if name in fields]
        if not isinstance(key, ScalarNode) or len(wanted) != 1:
            help_ = "write `condition_key` with `value_match` or `value_is_not`, or a `condition`"
            self._context.found.error(codes.MISSING_KEY, "the rule does not say when it applies", fields.span, help_)
            return e.Const(False, fields.span)
        rooted = key.text.partition(".")[0] in {"state", *exprs.bound}
        subject = exprs.bare(key if rooted else replace(key, text=f"state.{key.text}", source=()))
        entry = fields.entry(wanted[0])
        expected = exprs.type_of_target(subject, self._context.state)
        value = e.Const(None, key.span) if entry is None else exprs.value(entry.value, expected)
        nothing = value == e.Const(None)
        sign = ("is" if nothing else "==") if wanted[0] == "value_match" else ("is not" if nothing else "!=")
        return e.Compare(subject, (sign,), (value,), key.span)

    def _guarded(self, item: Item, jump: Jump, target: Target, place: Place, follower: Item | None) -> None:
        """`on_error: NAME`: a TRY around the one step, whose handler is an edge."""
        scope = place.scope
        inner = Scope("try", self._context, scope, scope.seen(target))
        if "else" in item.blocks:
            self.open(inner, item.blocks["else"])
        self._action(item, END, Place(inner, END), follower)
        handled = place.resolve(jump, self.entry)
        led = END if handled == target == END else scope.seen(handled)
        nodes: dict[str, Node] = {}
        if led is None:
            led = self._context.fresh_id("return")
            nodes[led] = Node(id=led, action=Return(), display=Display(source=jump.span))
        handler = Handler(classes=("builtins:Exception",), graph=Graph(entry=led, nodes=nodes))
        scope.add(item.try_id, Try(body=inner.graph(item.id), handlers=(handler,)), target, item)

    def _action(self, item: Item, target: Target, place: Place, follower: Item | None) -> None:
        """The node (or nodes) of the step's own action."""
        scope, context = place.scope, self._context
        action: Action
        match item.kind:
            case "ASSIGN":
                lower_assigns(context, item, target, scope)
                return
            case "RETURN":
                scope.add(item.id, lower_return(context, item, scope), None, item)
                return
            case "FAIL":
                scope.add(item.id, lower_fail(context, item), None, item)
                return
            case "RESTART":
                action, target = lower_restart(context, item), END
            case "LOOP":
                action, target = lower_loop(self, item, target, place)
            case "TRY":
                action, target = lower_try(self, item, target, place)
            case "PARALLEL" | "FORK" | "RACE":
                action = lower_parallel(self, item, scope)
            case "SLEEP":
                action = lower_sleep(context, item)
            case "RECEIVE":
                action = lower_receive(context, item)
            case "HUMAN_IN_LOOP":
                action = lower_human(context, item, scope, follower)
            case "SUB_WORKFLOW" | "FIRE_AND_FORGET" | "CRON_SCHEDULE":
                action = lower_start(context, item)
            case "HTTP":
                action = lower_http(context, item)
            case "AI_INFERENCE" | "WASM":
                action = lower_model_call(context, item)
            case _:
                action = lower_call(context, item, scope)
        scope.add(item.id, action, target, item)


def implicit_ids(block: Block) -> Iterator[str]:
    """The nodes whose `next` is nothing but list order, on the way from a route's target in the same list.

    The linker warns where one of them runs into another target. A list nested under a route is left out: it joins
    behind the deciding step by itself, as its indentation says.
    """
    targets = {exit_.target for item in walk_items(block) for exit_ in item.exits() if isinstance(exit_, Jump)}
    for outer in _all_lists(block):
        if has_dependencies(outer):
            continue
        on_the_way = False
        for index, item in enumerate(outer.items):
            on_the_way = on_the_way or item.id in targets
            plain = item.next is None and not item.decides and item.kind not in _NO_NEXT
            if on_the_way and plain and index + 1 < len(outer.items):
                yield item.try_id or (item.assigns[-1].id if item.assigns else item.id)
            on_the_way = on_the_way and plain


def _all_lists(block: Block) -> Iterator[Block]:
    """A list and all inside it."""
    yield block
    for item in block.items:
        for inner in (*item.inner_blocks(), *item.flat_blocks()):
            yield from _all_lists(inner)
