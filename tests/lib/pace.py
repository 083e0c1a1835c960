"""How long tests wait, on machines of any speed."""

import os

# An emulated machine is 10 to 30 times slower than those that the numbers of the tests are for.
SLOWER = 5 if "HOY_VM" in os.environ else 1
