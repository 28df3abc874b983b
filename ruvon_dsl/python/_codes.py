"""The codes of the Python front end, and the table of their pages."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ruvon.ir._diagnostics import CodeInfo
from ruvon_dsl.python import _pages_calls, _pages_source, _pages_state

__all__ = ["CODES"]

SYNTAX: Final = "RV0101"
TOO_DEEP: Final = "RV0102"
ASSERT: Final = "RV0103"
DELETE: Final = "RV0104"
GLOBAL: Final = "RV0105"
NONLOCAL: Final = "RV0106"
CLASS: Final = "RV0107"
IMPORT: Final = "RV0108"
PLAIN_FUNCTION: Final = "RV0109"
WITH: Final = "RV0110"
ASYNC_FOR: Final = "RV0111"
TYPE_ALIAS: Final = "RV0112"
YIELD: Final = "RV0113"
TEMPLATE_STRING: Final = "RV0114"
CHAINED: Final = "RV0115"
STARRED_TARGET: Final = "RV0116"
TARGET: Final = "RV0117"
NO_EFFECT: Final = "RV0118"
PATTERN: Final = "RV0119"
AUGMENTED: Final = "RV0120"
LOOP_TARGET: Final = "RV0121"
WHILE_ELSE: Final = "RV0122"
NOT_ASYNC: Final = "RV0130"
PARAMETERS: Final = "RV0131"
DEFAULT_ARGUMENT: Final = "RV0132"
DECORATED: Final = "RV0133"
WORKFLOW_NAME: Final = "RV0134"
WORKFLOW_OPTION: Final = "RV0135"
SAME_NAME: Final = "RV0136"
STAR_PARAMETER: Final = "RV0137"
ANNOTATION: Final = "RV0138"
EXCEPT_CLASS: Final = "RV0140"

EFFECT: Final = "RV0201"
"""Its page stands with the expressions."""
MISPLACED: Final = "RV0233"
"""Its page stands with the expressions."""
DEEP_AWAIT: Final = "RV0203"
NOT_AWAITED: Final = "RV0204"
AWAITED: Final = "RV0205"
FOREIGN_ASYNC: Final = "RV0207"
RUVON_ARGUMENT: Final = "RV0209"
GATHER_ARGUMENT: Final = "RV0260"
GATHER_OPTION: Final = "RV0261"
AFTER: Final = "RV0262"
RACE: Final = "RV0263"
BRANCH_USE: Final = "RV0264"
BRANCH_PARAMETER: Final = "RV0265"
CALL_OPTION: Final = "RV0266"
NODE_PLACE: Final = "RV0267"
FLOW: Final = "RV0268"
CUSTOM_TYPE: Final = "RV0269"
CHILD: Final = "RV0270"
NODE_NAME: Final = "RV0271"
NOT_CONSTANT: Final = "RV0272"
BLOCK: Final = "RV0273"
BRANCH_SHADOWS: Final = "RV0274"
STARRED_ARGUMENT: Final = "RV0275"

IN_PLACE: Final = "RV0301"
STATE_NAME: Final = "RV0303"
LATE_AWAIT: Final = "RV0304"
LANGUAGE_NAME: Final = "RV0307"

UNREACHABLE: Final = "RV0401"
FINALLY_EXIT: Final = "RV0402"
BARE_EXCEPT: Final = "RV0403"
BASE_EXCEPTION: Final = "RV0404"
UNHANDLED_CASE: Final = "RV0406"
EXCEPT_STAR: Final = "RV0407"
STRAY_EXIT: Final = "RV0408"
EARLY_WILDCARD: Final = "RV0409"

CODES: Final[Mapping[str, CodeInfo]] = MappingProxyType(
    {**_pages_source.PAGES, **_pages_calls.PAGES, **_pages_state.PAGES}
)
"""Codes in order, each with its page."""
