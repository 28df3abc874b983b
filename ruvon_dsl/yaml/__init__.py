"""The YAML front end: workflow and registry files to drafts, and the JSON Schema of both.

A file passes five stages: the reader (`_reader`: text to nodes with places, bounded), `${NAME}` (`_substitute`), the key
tables (`_steps` with `_check` and `_keys_*`: nodes to `Item`s), names (`_naming`) and the lowering to nodes and edges
(`_lower`, `_blocks`, `_calls`, `_waits`, `_starts`, `_ends`, `_stretches`). Every stage reports all it finds.
"""

from ruvon_dsl.yaml._codes import CODES
from ruvon_dsl.yaml._files import is_registry_text, is_workflow_text, lower_file
from ruvon_dsl.yaml._json_schema import json_schema
from ruvon_dsl.yaml._registry import Registry, RegistryEntry, load_registry
from ruvon_dsl.yaml._registry_check import outside_finding, registry_findings
from ruvon_dsl.yaml._steps import StepTypes
from ruvon_dsl.yaml._words import in_yaml

__all__ = [
    "CODES",
    "Registry",
    "RegistryEntry",
    "StepTypes",
    "in_yaml",
    "is_registry_text",
    "is_workflow_text",
    "json_schema",
    "load_registry",
    "lower_file",
    "outside_finding",
    "registry_findings",
]
