"""Whole workflows for property tests: `programs()` are structured and run, `flat_definitions()` are arbitrary graphs."""

from tests.support._flat_graphs import ODD_NAMES, flat_definitions, graph_shapes
from tests.support._programs import Program, programs, shop_roots

__all__ = ["ODD_NAMES", "Program", "flat_definitions", "graph_shapes", "programs", "shop_roots"]
