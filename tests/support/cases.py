"""How many examples a property test tries: few while developing, many in the long campaigns."""

import os

CASES = int(os.environ.get("RUVON_CASES", "200"))
