"""Printers: a definition as Python source or as YAML, each compiling back to the same digest.

Both stand on one structuring pass (`_structure`), which turns the flat graph into nested statements, and on one
simulation of derived names (`_names`), so that a name is written only where the front end would derive another one.
"""

from ruvon_dsl.printing._python import to_python
from ruvon_dsl.printing._yaml import to_yaml

__all__ = ["to_python", "to_yaml"]
