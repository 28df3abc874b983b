"""How results join the state: the two choices that authors, the graph and the engine share.

They stand apart from the nodes, because every step module needs them and only a few need the graph.
"""

from enum import Enum

__all__ = ["MergeConflict", "MergeStrategy"]


class MergeStrategy(Enum):
    """How a dictionary result joins the state: SHALLOW replaces a key, DEEP merges dicts and models key by key."""

    SHALLOW = "SHALLOW"
    DEEP = "DEEP"


class MergeConflict(Enum):
    """Who wins when a key is written twice."""

    PREFER_NEW = "PREFER_NEW"
    PREFER_EXISTING = "PREFER_EXISTING"
    RAISE_ERROR = "RAISE_ERROR"
