"""How many examples a property test tries: few while developing, many in the long campaigns.

Tests that are marked `campaign` have a number of their own, so that one run can hold both kinds.
"""

import os

CASES = int(os.environ.get("RUVON_CASES", "200"))
CAMPAIGN = int(os.environ.get("RUVON_CAMPAIGN", CASES))
