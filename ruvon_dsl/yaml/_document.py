"""One document of a workflow file: its header, then its steps, to a draft."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import final

from ruvon.ir._nodes import CommitMode, Definition, Graph
from ruvon.ir._paths import ImportRoots
from ruvon.models import WorkflowStep
from ruvon_dsl._draft import Draft, SourceText
from ruvon_dsl._link import Missing, uses_custom_types
from ruvon_dsl.yaml import _codes as codes
from ruvon_dsl.yaml._check import Fields, check_fields
from ruvon_dsl.yaml._context import Defaults, FileContext
from ruvon_dsl.yaml._findings import Findings
from ruvon_dsl.yaml._keys_common import OUTPUT
from ruvon_dsl.yaml._keys_header import DEFAULTS, WORKFLOW
from ruvon_dsl.yaml._loops import item_names
from ruvon_dsl.yaml._lower import Lowering, implicit_ids
from ruvon_dsl.yaml._naming import assign_ids
from ruvon_dsl.yaml._settle import settle
from ruvon_dsl.yaml._steps import StepParser, StepTypes
from ruvon_dsl.yaml._substitute import Substitution
from ruvon_dsl.yaml._tree import Block, Item, walk_items
from ruvon_dsl.yaml._values import MappingNode, ScalarNode, YamlNode, kind_of

__all__ = ["DocumentLowering", "constants_of", "nothing"]


@final
class DocumentLowering:
    """Lowers the documents of one file.

    Args:
        source: The file.
        roots: What may be imported.
        opaque: Import nothing.
        step_types: The registered custom types.
        environment: The environment for `${NAME}`.
    """

    def __init__(
        self,
        source: SourceText,
        roots: ImportRoots,
        *,
        opaque: bool,
        step_types: StepTypes | None,
        environment: Mapping[str, str],
    ) -> None:
        self._source = source
        self._roots = roots
        self._opaque = opaque
        self._step_types = step_types
        self._environment = environment

    def lower(self, document: YamlNode, found: Findings) -> Draft:
        """One document; the draft has a definition also where there are findings."""
        context = FileContext.create(self._source, self._roots, found, opaque=self._opaque)
        if not isinstance(document, MappingNode):
            message = f"a workflow file is a mapping with `workflow_type` and `steps`, not {kind_of(document)}"
            found.error(codes.NOT_A_WORKFLOW, message, document.span, "begin with `workflow_type: Name` and `steps:`")
            return Draft(nothing(), self._source, found.ordered())
        context.names.parameters = dict(constants_of(document, "parameters"))
        document = self._substituted(document, context)
        fields = check_fields(document, WORKFLOW, found)
        self._header(fields, context)
        block = self._steps(fields, context)
        definition = _definition(fields, context, self._graph(block, context))
        context.report_shadowing()
        span = fields.span_of("workflow_type") if "workflow_type" in fields else None
        return Draft(
            definition,
            self._source,
            found.ordered(),
            span,
            takes=MappingProxyType(context.takes),
            implicit=frozenset(implicit_ids(block)),
            step_types=MappingProxyType(self._classes(definition, context)),
            opaque=context.names.opaque,
            reported=frozenset(context.names.reported),
        )

    def _classes(self, definition: Definition, context: FileContext) -> Mapping[str, type[WorkflowStep]]:
        if context.names.opaque or not uses_custom_types(definition):
            return {}
        return context.names.step_classes()

    def _substituted(self, document: MappingNode, context: FileContext) -> MappingNode:
        defaults = {
            name: None if value is None else str(value) for name, value in constants_of(document, "env").items()
        }
        substitution = Substitution(self._environment, context.names.parameters, defaults, context.found)
        done = substitution.apply(document)
        return done if isinstance(done, MappingNode) else document

    def _header(self, fields: Fields, context: FileContext) -> None:
        for node in fields.texts("module"):
            context.names.add_module(node)
        context.names.give_up_if_lost()
        uses = fields.node("uses")
        for entry in uses.entries if isinstance(uses, MappingNode) else ():
            if isinstance(entry.value, ScalarNode):
                context.names.add_use(entry.key.text, entry.value)
        context.names.give_up_if_lost()
        context.state = _model(fields, "initial_state_model", context)
        context.result = _model(fields, "result_model", context)
        context.names.give_up_if_lost()
        variables = fields.node("variables")
        for entry in variables.entries if isinstance(variables, MappingNode) else ():
            written = context.types.read(entry.value) if isinstance(entry.value, ScalarNode) else None
            if written is not None:
                context.exprs.declared[entry.key.text] = written
        context.defaults = self._defaults(fields, context)

    def _defaults(self, fields: Fields, context: FileContext) -> Defaults:
        node = fields.node("defaults")
        inner = (
            check_fields(node, DEFAULTS, context.found)
            if isinstance(node, MappingNode)
            else Fields(DEFAULTS, fields.span)
        )
        retry = inner.node("retry")
        automate = fields.flag("automate_next")
        options = context.options
        return Defaults(
            retry=None if retry is None else options.retry(retry),
            timeout_us=options.duration(inner, "timeout"),
            queue=inner.text("queue"),
            queue_timeout_us=options.duration(inner, "queue_timeout"),
            deadline_us=options.duration(inner, "deadline"),
            automate_next=bool(inner.flag("automate_next") if automate is None else automate),
        )

    def _known_types(self, context: FileContext) -> StepTypes | None:
        """Custom step types: those that are registered, and those that the file's modules hold."""
        own = None if context.names.opaque else context.names.step_type
        registered = self._step_types
        if registered is None or own is None:
            return registered or own

        def known(name: str) -> tuple[str, ...] | None:
            given = registered(name)
            return own(name) if given is None else given

        return known

    def _steps(self, fields: Fields, context: FileContext) -> Block:
        entry = fields.entry("steps")
        parser = StepParser(context.found, self._known_types(context))
        block = Block([], fields.span) if entry is None or _is_empty(entry.value) else parser.block(entry)
        if (
            entry is not None
            and (isinstance(entry.value, ScalarNode) or _is_empty(entry.value))
            and not context.found.failed
        ):
            context.found.error(
                codes.EMPTY_STEPS,
                "there is nothing below `steps`",
                entry.key.span,
                "add a step: `- {name: First, function: my.module.step}`; a workflow without steps is `steps: []`",
            )
        context.exprs.bound |= set(context.exprs.declared) | _bound_names(block)
        return block

    def _graph(self, block: Block, context: FileContext) -> Graph:
        assign_ids(block, context)
        return settle(Lowering(context).graph(block, "workflow", None))


def _is_empty(node: object) -> bool:
    """Whether it is a mapping without keys: no step, and no list either."""
    return isinstance(node, MappingNode) and not node.entries


def _model(fields: Fields, name: str, context: FileContext) -> object:
    """The annotation of a class of the header; where it cannot be loaded, nothing about it can be checked."""
    node = fields.node(name)
    if not isinstance(node, ScalarNode):
        return Missing
    written = context.types.read(node)
    context.names.lost = context.names.lost or written is None
    return Missing if written is None else written.annotation


def constants_of(document: MappingNode, name: str) -> dict[str, str | int | float | bool | None]:
    """The constants of a mapping of the header."""
    entry = document.get(name)
    if entry is None or not isinstance(entry.value, MappingNode):
        return {}
    return {item.key.text: item.value.value for item in entry.value.entries if isinstance(item.value, ScalarNode)}


def _definition(fields: Fields, context: FileContext, graph: Graph) -> Definition:
    def type_text(name: str) -> str | None:
        node = fields.node(name)
        written = context.types.read(node) if isinstance(node, ScalarNode) else None
        return None if written is None else written.text

    return Definition(
        workflow_type=fields.text("workflow_type") or "",
        workflow_version=fields.text("workflow_version") or "1.0.0",
        state=type_text("initial_state_model") or "dict[str, object]",
        result=type_text("result_model"),
        saga=fields.flag("saga_enabled") or False,
        strict_results=fields.flag("strict_results") or False,
        history=fields.count("history"),
        commit=CommitMode(fields.choice("commit") or "step"),
        timeout_us=context.options.duration(fields, "timeout"),
        variables=MappingProxyType({name: written.text for name, written in context.exprs.declared.items()}),
        graph=graph,
        description=fields.text("description"),
        tags=tuple(node.text for node in fields.texts("tags")),
        owner=fields.text("owner"),
    )


def nothing(workflow_type: str = "") -> Definition:
    """A definition that stands for a file that could not be read."""
    graph = Graph(entry="END", nodes=MappingProxyType({}))
    return Definition(workflow_type=workflow_type, graph=graph, strict_results=False)


# --- which names are variables ----------------------------------------------------------------------------------------


def _bound_names(block: Block) -> set[str]:
    """Every name that a step of the file binds: outputs, assigned variables, loop items, handler names."""
    found: set[str] = set()
    for item in walk_items(block):
        for name in ("output", "target"):
            found |= _target_names(item.fields.node(name))
        grouped = item.fields.node("http_config")
        entry = grouped.get(*OUTPUT.spellings) if isinstance(grouped, MappingNode) else None
        found |= _target_names(None if entry is None else entry.value)
        outputs = item.fields.node("outputs")
        for entry in outputs.entries if isinstance(outputs, MappingNode) else ():
            found |= _target_names(entry.value)
        for part in item.assigns:
            found |= _target_names(part.target)
        found |= _item_names(item)
        found.update(handler.name for handler in item.handlers if handler.name is not None)
        for branch in item.branches:
            found |= _target_names(branch.output)
    return found


def _item_names(item: Item) -> set[str]:
    mapped = item.fields.node("iterate_over") is not None or "for " in (item.fields.text("item_var_name") or "")
    binds = item.kind == "LOOP" or mapped
    return set(item_names(item.fields)) if binds else set()


def _target_names(node: YamlNode | None) -> set[str]:
    match node:
        case ScalarNode():
            words = node.text.replace("(", " ").replace(")", " ").split(",")
            return {word.strip() for word in words if word.strip().isidentifier()}
        case MappingNode():
            entry = node.get("name", "target")
            return set() if entry is None else _target_names(entry.value)
        case _:
            return set()
