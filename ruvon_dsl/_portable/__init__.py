"""Whether the steps of a definition can run in any worker, on any machine."""

from ruvon_dsl._portable._findings import portable_findings

__all__ = ["portable_findings"]
