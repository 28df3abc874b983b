"""Every code of the linker: what is wrong, why, and the smallest program that shows it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ruvon.ir._diagnostics import CodeInfo

__all__ = ["CODES"]

MAYBE_UNBOUND: Final = "RV0302"
SPINNING: Final = "RV0305"
PLAIN_CALL: Final = "RV0350"
MODULE_VARIABLE: Final = "RV0351"
BAD_ARGUMENTS: Final = "RV0352"
SHADOWED: Final = "RV0353"
NOT_A_VALUE: Final = "RV0354"
IMPORT_FAILED: Final = "RV0356"
MODULE_CLASH: Final = "RV0357"
OUTSIDE_NAME: Final = "RV0202"  # the page stands with the expressions
NOT_FOUND: Final = "RV0358"
UNRESOLVED: Final = "RV0359"
NEVER_RUNS: Final = "RV0361"
BROKEN_GRAPH: Final = "RV0901"  # the page stands with the IR
SOURCE_NOT_FOUND: Final = "RV0370"
NO_WORKFLOW: Final = "RV0371"
UNREACHABLE: Final = "RV0360"
NOT_AN_EXCEPTION: Final = "RV0362"
RESULT_TYPE: Final = "RV0363"
NO_RESULT: Final = "RV0364"
TARGET_TYPE: Final = "RV0365"
ARGUMENT_TYPE: Final = "RV0367"
OPTION_TYPE: Final = "RV0368"
NOT_STORABLE: Final = "RV0369"
INDISTINCT: Final = "RV0450"
BARE_STEP: Final = "RV0451"
BOTH_WRITE: Final = "RV0452"
FALLS_THROUGH: Final = "RV0453"
UNKNOWN_OUTCOME: Final = "RV0454"
LOSER: Final = "RV0455"
NOT_UNDONE: Final = "RV0456"
LOST_CHANGE: Final = "RV0505"
UNKNOWN_KEY: Final = "RV0506"
COMPENSATION: Final = "RV0507"

CODES: Final[Mapping[str, CodeInfo]] = MappingProxyType({})
