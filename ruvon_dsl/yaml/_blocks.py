"""TRY and PARALLEL, which hold graphs of their own as LOOP (`_loops`) does."""

from dataclasses import replace

from ruvon.ir._nodes import (
    END,
    Branch,
    Display,
    Graph,
    Handler,
    Join,
    Node,
    OnFailure,
    Parallel,
    Return,
    Target,
    Try,
)
from ruvon.ir._spans import Span
from ruvon.ir.expr import _nodes as e
from ruvon.ir.expr._nodes import Expr
from ruvon_dsl.yaml import _codes as codes
from ruvon_dsl.yaml._check import Fields
from ruvon_dsl.yaml._context import FileContext
from ruvon_dsl.yaml._graphs import Lowerer, Place, Scope
from ruvon_dsl.yaml._loops import iteration, names_of
from ruvon_dsl.yaml._stretches import hoist_output
from ruvon_dsl.yaml._tree import Block, BranchItem, HandlerItem, Item
from ruvon_dsl.yaml._values import MappingNode, ScalarNode, YamlNode

__all__ = ["lower_parallel", "lower_try"]


# --- TRY --------------------------------------------------------------------------------------------------------------


def lower_try(low: Lowerer, item: Item, following: Target, place: Place) -> tuple[Try, Target]:
    """A TRY and what follows it: the `else` part, where there is one; a `finally` runs behind that, around another TRY."""
    scope = place.scope
    final = low.graph(item.blocks["finally"], "final", scope) if "finally" in item.blocks else None
    end = final if final is not None and final.nodes else None
    if not item.inner_id or end is None:
        return _try(low, item, following, scope, end)
    outer = Scope("try", low.context, scope, scope.seen(following))
    low.open(outer, item.blocks["else"])
    action, behind = _try(low, item, END, outer, None)
    return Try(body=outer.graph(outer.add(item.inner_id, action, behind, item)), final=end), following


def _try(low: Lowerer, item: Item, following: Target, scope: Scope, end: Graph | None) -> tuple[Try, Target]:
    has_else = "else" in item.blocks
    behind = low.steps(item.blocks["else"], Place(scope, following)) if has_else else following
    inside = item.blocks.get("steps", Block([], item.span))
    saga = item.fields.flag("saga") or False
    if not (saga or item.handlers or end):
        low.context.found.error(
            codes.MISSING_KEY,
            f"`{item.id}` has no `except`, no `finally` and no `saga`",
            item.span,
            "add one of them, or leave the TRY out",
        )
    handlers = tuple(_handler(low, handler, following, scope, has_else=has_else) for handler in item.handlers)
    if item.saga_id:
        body = _saga_inside(low, item, inside, scope, behind)
        return Try(body=body, handlers=handlers, final=end), behind
    body = low.graph(inside, "try", scope, past_end=scope.seen(behind))
    return Try(body=body, handlers=handlers, final=end, saga=saga), behind


def _saga_inside(low: Lowerer, item: Item, block: Block, scope: Scope, behind: Target) -> Graph:
    """The body of a TRY with handlers and `saga: true`: a saga scope of its own, so that it is undone first."""
    outer = Scope("try", low.context, scope, scope.seen(behind))
    body = low.graph(block, "try", outer, past_end=outer.seen(END))
    return outer.graph(outer.add(item.saga_id, Try(body=body, saga=True), END, item))


def _handler(low: Lowerer, handler: HandlerItem, following: Target, scope: Scope, *, has_else: bool) -> Handler:
    context = low.context
    paths = [context.options.error_class(ScalarNode(text, True, span), text) for text, span in handler.classes]
    classes = tuple(path for path in paths if path is not None) or ("builtins:Exception",)
    if handler.name is not None and not handler.name.isidentifier():
        context.found.error(
            codes.BAD_NAME,
            f"`{handler.name}` is no name for the error",
            handler.classes[0][1] if handler.classes else handler.block.span,
            "write letters, digits and underscores",
        )
    past = scope.seen(following)
    if not has_else:
        graph = low.graph(handler.block, "try", scope, past_end=past)
    elif past is not None:
        graph = low.graph(handler.block, "try", scope, after=past, past_end=past)
    else:
        graph = _returning(low, handler.block, scope)
    return Handler(classes=classes, name=handler.name, graph=graph)


def _returning(low: Lowerer, block: Block, scope: Scope) -> Graph:
    """A handler that goes past an `else` part to the end of the workflow or branch: it ends in a RETURN."""
    context = low.context
    node_id = context.fresh_id("return")
    if scope.kind == "final":
        context.found.error(
            codes.KEY_CLASH,
            "a TRY with `else` cannot be the last step of a `finally`",
            block.span,
            "put a step behind it",
        )
    graph = low.graph(block, "try", scope, after=node_id)
    end = Node(id=node_id, action=Return(), display=Display(source=block.span))
    return Graph(entry=graph.entry, nodes={**graph.nodes, node_id: end})


# --- PARALLEL ---------------------------------------------------------------------------------------------------------


def lower_parallel(low: Lowerer, item: Item, scope: Scope) -> Parallel:
    """A PARALLEL, FORK or RACE: static branches, or one body for each item of a list."""
    context, fields = low.context, item.fields
    output = context.output(fields)
    if fields.node("iterate_over") is not None:
        return _mapped(low, item, scope, output)
    outputs = fields.node("outputs")
    given = {entry.key.text: entry.value for entry in outputs.entries} if isinstance(outputs, MappingNode) else {}
    branches = tuple(_branch(low, branch, given, scope) for branch in item.branches)
    _check_branches(context, item, branches, given)
    race = item.kind == "RACE"
    collect = fields.flag("allow_partial_success") or "tolerate" in fields
    made = Parallel(
        branches=branches,
        join=Join.FIRST if race else Join.ALL,
        limit=_optional(context, fields, "limit"),
        batch_size=_batch(context, fields),
        on_failure=OnFailure.COLLECT if collect else OnFailure.CANCEL,
        tolerate=_optional(context, fields, "tolerate"),
        merge=context.options.merge(fields),
        timeout_us=context.options.duration(fields, "timeout"),
        output=output,
    )
    _check_outputs(context, item, made)
    return made


def _branch(low: Lowerer, branch: BranchItem, outputs: dict[str, YamlNode], scope: Scope) -> Branch:
    context = low.context
    graph = low.graph(branch.block, "branch", scope)
    label = branch.label or (branch.block.items[0].id if branch.block.items else "branch")
    output = context.exprs.target(outputs.get(label)) if label in outputs else None
    if not branch.task:
        output = output or context.exprs.target(branch.output)
    graph, hoisted = hoist_output(graph)
    if branch.task and branch.output is not None and hoisted is None:
        message = f"the branch `{label}` gives no result to bind"
        help_ = "write it under `branches:` with a `return`, and bind it with `outputs:`"
        context.found.error(codes.BAD_OUTPUT, message, branch.output.span, help_)
    if output is not None and hoisted is not None:
        message = f"the result of the branch `{label}` is bound twice"
        context.found.error(codes.KEY_CLASH, message, branch.span, "keep one of the outputs")
    output = output or hoisted
    after = tuple(node.text for node in branch.after)
    return Branch(label=label, graph=graph, after=after, output=output, won=branch.won)


def _check_outputs(context: FileContext, item: Item, parallel: Parallel) -> None:
    """Results are bound once: by the branches, or together by the step."""
    for branch, written in zip(parallel.branches, item.branches, strict=True):
        if branch.output is None:
            continue
        span = written.span if written.output is None else written.output.span
        if parallel.join is Join.FIRST:
            message = f"the branch `{branch.label}` of a RACE has an `output`"
            context.found.error(codes.BAD_OUTPUT, message, span, "give the RACE the `output`: it is the winner's value")
        elif parallel.output is not None or parallel.on_failure is OnFailure.COLLECT:
            message = f"the branch `{branch.label}` has an `output`, and `{item.id}` binds all results together"
            context.found.error(codes.KEY_CLASH, message, span, "keep one of them")


def _check_branches(
    context: FileContext, item: Item, branches: tuple[Branch, ...], outputs: dict[str, YamlNode]
) -> None:
    if not branches:
        context.found.error(
            codes.MISSING_KEY,
            f"`{item.id}` has nothing to run",
            item.span,
            "add `tasks:`, `branches:` or `iterate_over:`",
        )
    labels = {branch.label for branch in branches}
    seen: set[str] = set()
    for branch, written in zip(branches, item.branches, strict=True):
        if branch.label in seen:
            context.found.error(
                codes.DUPLICATE_NAME,
                f"two branches are labelled `{branch.label}`",
                written.span,
                "give one of them a `label:`",
            )
        seen.add(branch.label)
        for node in written.after:
            if node.text not in labels or node.text == branch.label:
                context.found.error(
                    codes.UNKNOWN_DEPENDENCY,
                    f"there is no other branch `{node.text}` to come after",
                    node.span,
                    "name the label of a branch",
                )
    for label, target in outputs.items():
        if label not in labels:
            message = f"there is no branch `{label}`"
            context.found.error(codes.UNKNOWN_STEP, message, target.span, "name the label of a branch")


def _mapped(low: Lowerer, item: Item, scope: Scope, output: Expr | None) -> Parallel:
    context, fields = low.context, item.fields
    target, over = iteration(context, fields)
    if item.branches:
        context.found.error(
            codes.KEY_CLASH,
            f"`{item.id}` has branches and a list",
            item.span,
            "keep `tasks`, or `iterate_over` with one `task_function`",
        )
    collect = fields.flag("allow_partial_success") or "tolerate" in fields
    return Parallel(
        over=over,
        item=target,
        index=fields.text("index_var_name"),
        body=_mapped_body(low, item, scope, target),
        limit=_optional(context, fields, "limit"),
        batch_size=_batch(context, fields),
        on_failure=OnFailure.COLLECT if collect else OnFailure.CANCEL,
        tolerate=_optional(context, fields, "tolerate"),
        merge=context.options.merge(fields),
        timeout_us=context.options.duration(fields, "timeout"),
        output=output,
    )


def _mapped_body(low: Lowerer, item: Item, scope: Scope, target: Expr) -> Graph:
    """The body that runs for each item: a function, one step of any type, or steps."""
    context = low.context
    names = [name for name in ("task_function", "task", "steps") if name in item.blocks]
    if len(names) != 1:
        context.found.error(
            codes.KEY_CLASH,
            f"`{item.id}` needs one of `task_function`, `task` and `steps`",
            item.span,
            "say what runs for each item",
        )
        return Graph(entry=END, nodes={})
    if names[0] == "task_function" and isinstance(target, e.Name):
        item.blocks[names[0]].items[0].passes = target.id
    return _kept_inside(context, item, low.graph(item.blocks[names[0]], "branch", scope, supplies=names_of(target)))


def _kept_inside(context: FileContext, item: Item, graph: Graph) -> Graph:
    """A mapped body of one effect with an `output`: it binds inside the branch, so a RETURN without value ends it.

    A plain variable would be nobody's: the branch is over, and what follows has no branch.
    """
    bare, output = hoist_output(graph)
    if output is None:
        return graph
    if isinstance(output, e.Name | e.Tuple):
        message = f"the `output` inside `{item.id}` is a variable of each branch alone, which nothing can read"
        help_ = "give the step around it the `output`: the list of all results"
        context.found.error(codes.BAD_OUTPUT, message, _source(bare, item), help_)
        return bare
    end = Node(id=context.fresh_id("return"), action=Return(), display=Display(source=item.span))
    (only,) = graph.nodes.values()
    return Graph(entry=graph.entry, nodes={only.id: replace(only, next=end.id), end.id: end})


def _source(graph: Graph, item: Item) -> Span:
    return graph.nodes[graph.entry].display.source or item.span


def _optional(context: FileContext, fields: Fields, name: str) -> Expr | None:
    node = fields.node(name)
    return None if node is None else context.exprs.value(node)


def _batch(context: FileContext, fields: Fields) -> Expr | None:
    """The batch size; 0 (documented: all at once) is none."""
    size = _optional(context, fields, "batch_size")
    return None if size == e.Const(0) else size
