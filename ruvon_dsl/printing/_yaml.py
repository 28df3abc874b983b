"""A definition as a YAML file that compiles back to the same digest."""

from ruvon.ir._nodes import CommitMode, Definition
from ruvon.ir._text import duration_text
from ruvon_dsl.printing._declare import built_variables, declared_variables
from ruvon_dsl.printing._locals import local_names, most_automatic, named_by_declaration
from ruvon_dsl.printing._names import explicit_names
from ruvon_dsl.printing._one_module import one_module
from ruvon_dsl.printing._structure import structure
from ruvon_dsl.printing._targets import Declarations, Resolve
from ruvon_dsl.printing._yaml_items import build, naming_order
from ruvon_dsl.printing._yaml_steps import Steps
from ruvon_dsl.printing._yaml_text import Tree, emit
from ruvon_dsl.printing._yaml_values import Values

__all__ = ["to_yaml"]

_STATE = "dict[str, object]"


def to_yaml(definition: Definition, *, resolve: Resolve | None = None) -> str:
    """Print a definition as a workflow file.

    Args:
        definition: A definition that passes the verifier.
        resolve: Gives the object at a path `module:Qualname`, to print options only where they differ from the
            declaration, and the module once where all names are its own. Without it every function counts as a plain
            `@step` without options, and each name has its path under `uses`.

    Returns:
        The text of the file; compiling it against the same code gives the same digest. Keys stand in a fixed order.
    """
    entries = build(structure(definition.graph, jumps=True), "END")
    declarations = Declarations(resolve)
    own_names = frozenset(local_names(definition)) | {"state"}
    values = Values(definition, own_names)
    annotated = declared_variables(definition) | built_variables(definition)
    automatic = most_automatic(definition)
    steps = Steps(
        definition,
        values,
        declarations,
        explicit=explicit_names(list(naming_order(entries)), named_by_declaration(definition, declarations)),
        annotated=annotated,
        automatic=automatic,
    ).entries(entries)
    variables: dict[str, Tree] = {name: values.type(definition.variables[name]) for name in sorted(annotated)}
    header = _header(definition, values, automatic=automatic)
    home = one_module(values.uses, values.names, own_names, resolve)
    if home is not None:
        header["module"] = home
    uses: dict[str, Tree] = {
        short: path for short, path in sorted(values.uses.items()) if home is None or path != f"{home}:{short}"
    }
    if uses:
        header["uses"] = uses
    if variables:
        header["variables"] = variables
    return emit({**header, "steps": steps})


def _header(definition: Definition, values: Values, *, automatic: bool) -> dict[str, Tree]:
    tree: dict[str, Tree] = {
        "workflow_type": definition.workflow_type,
        "workflow_version": definition.workflow_version,
    }
    if definition.description is not None:
        tree["description"] = definition.description
    if definition.owner is not None:
        tree["owner"] = definition.owner
    if definition.tags:
        tree["tags"] = list(definition.tags)
    if definition.state != _STATE:
        tree["initial_state_model"] = values.type(definition.state)
    if definition.result is not None:
        tree["result_model"] = values.type(definition.result)
    if definition.saga:
        tree["saga_enabled"] = True
    if definition.strict_results:
        tree["strict_results"] = True
    if automatic:
        tree["automate_next"] = True
    if definition.history is not None:
        tree["history"] = definition.history
    if definition.commit is not CommitMode.STEP:
        tree["commit"] = definition.commit.value
    if definition.timeout_us is not None:
        tree["timeout"] = duration_text(definition.timeout_us)
    return tree
