"""What pyinfra reads before any inventory: versions, failure policy, transport."""

import sys

from pyinfra import config

from steps.commandline import (
    answer_for_themselves,
    check,
    exit_with_an_error_on_interrupt,
    keep_tracebacks_for_bugs,
)
from steps.order import follow_the_file
from steps.ssh import use_prompt_transport

config.REQUIRE_PYINFRA_VERSION = "~=3.10"
# One failed host stops the run: what follows on the others may rely on it, and a half-changed site is
# easier to read than a site changed everywhere but there.
config.FAIL_PERCENT = 0

follow_the_file()
use_prompt_transport()
exit_with_an_error_on_interrupt()
keep_tracebacks_for_bugs()
answer_for_themselves(sys.argv[1:])
check(sys.argv[1:])
