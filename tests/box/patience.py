"""How much slower than an idle machine this one may be.

`make test` asks whether anything is lost, on whatever machine; how fast the site is back is for `make
test-faults` to judge, on one that has nothing else to do.
"""

import os

PATIENCE = float(os.environ.get("VV_PATIENCE", "1"))
