"""The linker shared by both front ends: names, arguments, types and data flow of a draft, to a linked definition."""

from ruvon_dsl._link._arguments import bind_arguments, opaque_arguments
from ruvon_dsl._link._codes import CODES
from ruvon_dsl._link._config import CONFIG_TYPES
from ruvon_dsl._link._constants import constant_expr
from ruvon_dsl._link._custom_fields import (
    StepClasses,
    custom_field_findings,
    custom_types,
    step_classes,
    uses_custom_types,
)
from ruvon_dsl._link._describe import compensation_of, describe, duration_us, plain_function, retry_policy, site_of
from ruvon_dsl._link._linker import Linked, in_order, link
from ruvon_dsl._link._names import ModuleLookup, asked_names, bind_names, language_name
from ruvon_dsl._link._targets import (
    BlockTarget,
    ChildTarget,
    ClassTarget,
    ConstantTarget,
    Lookup,
    Missing,
    MissingType,
    OtherTarget,
    Parameter,
    ParameterKind,
    PlainFunctionTarget,
    PureTarget,
    Site,
    StepTarget,
    Target,
)

__all__ = [
    "CODES",
    "CONFIG_TYPES",
    "BlockTarget",
    "ChildTarget",
    "ClassTarget",
    "ConstantTarget",
    "Linked",
    "Lookup",
    "Missing",
    "MissingType",
    "ModuleLookup",
    "OtherTarget",
    "Parameter",
    "ParameterKind",
    "PlainFunctionTarget",
    "PureTarget",
    "Site",
    "StepClasses",
    "StepTarget",
    "Target",
    "asked_names",
    "bind_arguments",
    "bind_names",
    "compensation_of",
    "constant_expr",
    "custom_field_findings",
    "custom_types",
    "describe",
    "duration_us",
    "in_order",
    "language_name",
    "link",
    "opaque_arguments",
    "plain_function",
    "retry_policy",
    "site_of",
    "step_classes",
    "uses_custom_types",
]
