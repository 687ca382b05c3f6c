"""`make run`: a small door before local.run, whose imports take a second in which Ctrl-C must be quiet as well."""

import os
import signal
import sys

# While modules are imported Python loses some interrupts, those that strike in a callback of its import locks.
signal.signal(signal.SIGINT, lambda *_: os._exit(130))
try:
    from local.run import main, named

    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main(named(sys.argv[1:])))
except KeyboardInterrupt:
    sys.exit(130)
