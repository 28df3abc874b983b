"""Findings about the functions that CALLs name.

What a state step takes and returns, what a value step changes in vain, and whether a compensation can be given what it
wants. Only signatures decide, except for changes in vain, for which the function's own text is read.
"""

from typing import Any, Final, final

from ruvon.ir._canonical import walk_nodes
from ruvon.ir._diagnostics import Diagnostic, Related
from ruvon.ir._nodes import Call, Definition, Node
from ruvon.ir._spans import Span
from ruvon.ir.expr import _nodes as e
from ruvon.ir.expr import describe, fits
from ruvon.ir.types import class_fields, class_kind, unwrap
from ruvon_dsl._draft import Draft
from ruvon_dsl._link._codes import ARGUMENT_TYPE, COMPENSATION, LOST_CHANGE, UNKNOWN_KEY
from ruvon_dsl._link._describe import plain_function
from ruvon_dsl._link._function_text import first_change, function_of, keyword_span, returned_keys
from ruvon_dsl._link._resolve import Resolver
from ruvon_dsl._link._targets import Missing, Parameter, ParameterKind, PlainFunctionTarget, Site, StepTarget
from ruvon_dsl._link._typing import is_state_call
from ruvon_dsl._link._unions import members_of, text_of, union_of

__all__ = ["call_findings"]

_VARIABLE: Final = (ParameterKind.VAR_KEYWORD, ParameterKind.VAR_POSITIONAL)


def call_findings(draft: Draft, resolver: Resolver) -> list[Diagnostic]:
    """Findings about every function that a CALL of the definition names."""
    definition = draft.definition
    state = resolver.type_of(definition.state, None)
    calls = _Calls(definition, resolver, state, draft.source.text)
    for node in walk_nodes(definition.graph):
        if isinstance(node.action, Call) and node.action.function is not None:
            calls.look(node, node.action, node.action.function)
    return calls.found


@final
class _Calls:
    def __init__(self, definition: Definition, resolver: Resolver, state: object, text: str) -> None:
        self.found: list[Diagnostic] = []
        self._definition = definition
        self._resolver = resolver
        self._state = state
        self._text = text
        self._seen: set[tuple[str, str]] = set()

    def look(self, node: Node, call: Call, path: str) -> None:
        """Look at one call."""
        target = self._resolver.callee(path, node.display.source)
        if target is None:
            return
        if is_state_call(call):
            self._state_parameter(node, target)
            self._returned_keys(node, target)
        for name, argument in call.args.items():
            if name != "state" and argument == e.Name("state"):
                self._lost_change(node, path, target, name, argument.span)
        if call.compensation is not None:
            self._compensation(node, call, target, call.compensation.function)

    def _state_parameter(self, node: Node, target: StepTarget | PlainFunctionTarget) -> None:
        wanted = unwrap(target.state) if target.state is not Missing else object
        if self._state is Any or wanted is object or wanted is Any or getattr(wanted, "__origin__", wanted) is dict:
            return
        if _is_subclass(self._state, wanted):
            return
        self.found.append(
            Diagnostic(
                code=ARGUMENT_TYPE,
                message=f"`{target.name}` takes the state as {_shown(wanted)}, but this workflow's is {_shown(self._state)}",
                span=node.display.source,
                related=_site(target.defined),
                help="annotate `state` with this workflow's class or a base of it, or rename the parameter",
            )
        )

    def _returned_keys(self, node: Node, target: StepTarget | PlainFunctionTarget) -> None:
        if not self._definition.strict_results or not _is_closed(self._state) or (target.path, "keys") in self._seen:
            return
        fields = {field.name for field in class_fields(self._state)}
        for key in self._keys_of(target):
            if key not in fields:
                self._seen.add((target.path, "keys"))
                self.found.append(self._unknown_key(node, target, key))

    def _keys_of(self, target: StepTarget | PlainFunctionTarget) -> list[str]:
        """The keys that a step says it returns: those of its TypedDicts, else of the dict displays that it returns."""
        members = () if target.result is Missing else members_of(target.result)
        typed = [member for member in members if class_kind(member) == "typeddict"]
        if typed:
            return [field.name for member in typed for field in class_fields(member)]
        function = function_of(self._resolver.known(target.path))
        return [] if function is None else returned_keys(function)

    def _unknown_key(self, node: Node, target: StepTarget | PlainFunctionTarget, key: str) -> Diagnostic:
        return Diagnostic(
            code=UNKNOWN_KEY,
            message=f"`{target.name}` returns the key `{key}`, which is no field of {_shown(self._state)}",
            span=_argument(node, "state") or node.display.source,
            related=_site(target.defined),
            reason="the keys of a returned dict merge into the state, and this one has no place there",
            help=f"add the field `{key}` to the state, drop the key, or say `strict_results=False`",
        )

    def _lost_change(
        self, node: Node, path: str, target: StepTarget | PlainFunctionTarget, parameter: str, span: Span | None
    ) -> None:
        function = function_of(self._resolver.known(path))
        change = None if function is None else first_change(function, parameter)
        if function is None or change is None or (path, parameter) in self._seen:
            return
        self._seen.add((path, parameter))
        text, line = change
        where = Span.at(function.__code__.co_filename, line, 1)
        self.found.append(
            Diagnostic(
                code=LOST_CHANGE,
                message=f"its change to `{text}` is lost; name the parameter `state` or return the value",
                span=span or node.display.source,
                label=f"`{target.name}` gets a copy of the state as `{parameter}`",
                related=(Related(where, "changed here"),),
                reason="a step works on copies of its arguments; only what a parameter named `state` holds is merged",
                help=f"rename `{parameter}` to `state` in `{target.name}`, or return the value and assign it here",
            )
        )

    def _compensation(self, node: Node, call: Call, target: StepTarget | PlainFunctionTarget, path: str) -> None:
        function = function_of(self._resolver.known(path))
        if function is None:
            self._resolver.callee(path, node.display.source)
            return
        undo = plain_function(function, path)
        given = {parameter.name for parameter in target.parameters} | set(call.args)
        wanted = [item for item in undo.parameters if item.name != "state" and item.kind not in _VARIABLE]
        missing = [item.name for item in wanted[1:] if item.required and item.name not in given]
        if wanted and wanted[0].annotation is not Missing and target.result is not Missing:
            self._undone_result(node, call, target, undo, wanted[0])
        if missing:
            names = ", ".join(f"`{name}`" for name in missing)
            self.found.append(
                Diagnostic(
                    code=COMPENSATION,
                    message=f"the compensation `{undo.name}` wants {names}, which `{target.name}` does not take",
                    span=self._compensate(node),
                    related=_site(undo.defined),
                    reason="a compensation is given the recorded result, then the recorded arguments by name",
                    help=f"`{target.name}` takes {', '.join(f'`{name}`' for name in sorted(given)) or 'nothing'}",
                )
            )

    def _undone_result(
        self,
        node: Node,
        call: Call,
        target: StepTarget | PlainFunctionTarget,
        undo: PlainFunctionTarget,
        parameter: Parameter,
    ) -> None:
        """The first parameter of a compensation takes the step's result, or None where the outcome is unknown."""
        unknown = call.compensation is not None and call.compensation.attempted
        result = union_of(target.result, None) if unknown else target.result
        if fits(result, parameter.annotation):
            return
        also = ", and None where the outcome is unknown (`attempted=True`)" if unknown else ""
        self.found.append(
            Diagnostic(
                code=COMPENSATION,
                message=f"`{parameter.name}` of the compensation `{undo.name}` is `{describe(parameter.annotation)}`, but "
                f"`{target.name}` gives `{describe(target.result)}`{also}",
                span=self._compensate(node),
                related=_site(undo.defined),
                help=f"annotate `{parameter.name}` as `{describe(result)}`",
            )
        )

    def _compensate(self, node: Node) -> Span | None:
        """Where the call names its compensation; the call itself where the step's declaration does."""
        span = node.display.source
        return None if span is None else keyword_span(self._text, span, "compensate") or span


def _argument(node: Node, name: str) -> Span | None:
    given = node.action.args.get(name) if isinstance(node.action, Call) else None
    return None if given is None else given.span


def _is_subclass(cls: object, base: object) -> bool:
    return isinstance(cls, type) and isinstance(base, type) and issubclass(cls, base)


def _is_closed(state: object) -> bool:
    """Whether a state takes its declared fields only."""
    config: dict[str, object] = getattr(state, "model_config", {})
    return class_kind(state) == "model" and config.get("extra") != "allow"


def _shown(type_: object) -> str:
    return f"`{text_of(type_).rpartition(':')[2]}`"


def _site(site: Site | None) -> tuple[Related, ...]:
    return () if site is None else (Related(Span.at(site.file, site.line, 1), "defined here"),)
