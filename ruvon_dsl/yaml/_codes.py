"""The numbers of the YAML front end's findings; their pages stand in `_pages`."""

from typing import Final

from ruvon_dsl.yaml._pages import CODES

__all__ = ["CODES"]

SYNTAX: Final = "RV0801"
TOO_LARGE: Final = "RV0802"
TOO_DEEP: Final = "RV0803"
BAD_ALIAS: Final = "RV0804"
TAG: Final = "RV0805"
MERGE_KEY: Final = "RV0806"
DUPLICATE_KEY: Final = "RV0807"
BAD_KEY: Final = "RV0808"
NOT_A_WORKFLOW: Final = "RV0809"
UNKNOWN_KEY: Final = "RV0810"
MISSING_KEY: Final = "RV0811"
WRONG_KIND: Final = "RV0812"
UNKNOWN_TYPE: Final = "RV0813"
DURATION: Final = "RV0814"
BAD_NAME: Final = "RV0815"
DUPLICATE_NAME: Final = "RV0816"
UNKNOWN_STEP: Final = "RV0817"
UNREACHABLE_STEP: Final = "RV0818"
OUTSIDE_LOOP: Final = "RV0819"
KEY_CLASH: Final = "RV0821"
UNSET_VARIABLE: Final = "RV0822"
NAME_NOT_FOUND: Final = "RV0823"
WRONG_TARGET: Final = "RV0824"
BAD_TYPE: Final = "RV0825"
BAD_VALUE: Final = "RV0826"
BAD_OUTPUT: Final = "RV0827"
TEXT_OR_EXPRESSION: Final = "RV0828"
UNKNOWN_DEPENDENCY: Final = "RV0830"
CYCLE: Final = "RV0831"
LATE_TARGET: Final = "RV0832"
EDGE_IN_STRETCH: Final = "RV0833"
INTO_STRETCH: Final = "RV0834"
EMPTY_STEPS: Final = "RV0840"
CANNOT_BE_OFFERED: Final = "RV0841"
SHADOWS_FIELD: Final = "RV0842"
SECRET_VARIABLE: Final = "RV0601"  # noqa: S105 - a code, not a password
