"""`make run`: a small door before local.run, whose imports take a second in which Ctrl-C must be quiet as well."""

import sys

try:
    from local.run import main, named

    sys.exit(main(named(sys.argv[1:])))
except KeyboardInterrupt:
    sys.exit(130)
