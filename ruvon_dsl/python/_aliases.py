"""In-place changes that another name would see: RV0301 where Python and stored values would part."""

from ruvon.ir._nodes import Graph
from ruvon_dsl.python._findings import Findings

__all__ = ["check_aliases"]


def check_aliases(graph: Graph, findings: Findings, file: str) -> None:
    """Report in-place changes below names that share their value with another name."""
