"""The inverse of the structuring pass, written from `docs/lowering.md`: statements back to graphs."""

from dataclasses import replace

from ruvon.ir import END, Branch, Decision, Fail, Graph, Handler, Loop, Node, Parallel, Return, Route, Try
from ruvon_dsl.printing._region import ends_run
from ruvon_dsl.printing._tree import Block, Choice, Exit, Flow, Go, Repeat, Single, Split, Statement, Trial

__all__ = ["relower"]


def relower(block: Block, follow: str = END, beyond: str | None = None) -> Graph:
    """The graph that the statements lower to."""
    nodes: dict[str, Node] = {}
    return Graph(entry=_block(block, follow, beyond, nodes), nodes=nodes)


def _block(block: Block, follow: str, beyond: str | None, nodes: dict[str, Node]) -> str:
    for statement in reversed(block):
        follow = _statement(statement, follow, beyond, nodes)
    return follow


def _statement(statement: Statement, follow: str, beyond: str | None, nodes: dict[str, Node]) -> str:
    match statement:
        case Exit(target=target):
            return target
        case Go(label=label):
            return label
        case Flow(stages=stages):
            for stage in stages:
                assert _block(stage.block, follow, beyond, nodes) == stage.label
            return stages[0].label
        case Choice(node=node, arms=arms, default=default):
            assert isinstance(node.action, Decision)
            routes = tuple(
                Route(condition=route.condition, target=_block(arm, follow, beyond, nodes))
                for route, arm in zip(node.action.routes, arms, strict=True)
            )
            made = replace(
                node, action=replace(node.action, routes=routes, default=_block(default, follow, beyond, nodes))
            )
        case Single(node=node):
            made = replace(
                node, next=None if isinstance(node.action, Return | Fail) else END if ends_run(node) else follow
            )
        case Repeat(node=node, body=body, otherwise=otherwise):
            assert isinstance(node.action, Loop)
            on_break = None if otherwise is None else follow
            following = follow if otherwise is None else _block(otherwise, follow, beyond, nodes)
            made = replace(node, action=replace(node.action, body=relower(body), on_break=on_break), next=following)
        case Split(node=node, branches=branches, body=body):
            assert isinstance(node.action, Parallel)
            pairs = zip(node.action.branches, branches, strict=True)
            lowered = tuple[Branch, ...](replace(branch, graph=relower(part)) for branch, part in pairs)
            made = replace(
                node,
                action=replace(node.action, branches=lowered, body=None if body is None else relower(body)),
                next=follow,
            )
        case Trial():
            made = _trial(statement, follow, beyond, nodes)
    assert made.id not in nodes
    nodes[made.id] = made
    return made.id


def _trial(trial: Trial, follow: str, beyond: str | None, nodes: dict[str, Node]) -> Node:
    action = trial.node.action
    assert isinstance(action, Try)
    following, tail = follow, END
    if trial.otherwise is not None:
        following = _block(trial.otherwise, follow, beyond, nodes)
        tail = follow if follow != END or beyond is None else beyond
    inner = beyond if following == END else following
    pairs = zip(action.handlers, trial.handlers, strict=True)
    handlers = tuple[Handler, ...](replace(handler, graph=relower(part, tail, inner)) for handler, part in pairs)
    final = None if trial.final is None else relower(trial.final)
    return replace(
        trial.node,
        action=Try(body=relower(trial.body, END, inner), handlers=handlers, final=final, saga=action.saga),
        next=following,
    )
