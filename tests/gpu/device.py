"""The device that these tests are for."""

import os

# Another one only to try the tests themselves.
DEVICE = os.environ.get("VV_TEST_DEVICE", "cuda")
