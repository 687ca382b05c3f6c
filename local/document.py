"""The collector's text in template.yaml, as the Systems Manager document that the host audit runs.

    python -m local.document

A document cannot refer to a file, and one that took the script as a parameter would run anything. So the text stands
in the template, where it can be read before it is deployed, and a test holds it to the script.
"""

import json
import re
import sys

from padlock.cli.host_evidence import COLLECTOR

from local.aws import TEMPLATE

MAX_OCTETS = 63_000
"""Of the script in JSON; a document may have 64 KB, what stands around the script included."""
INDENT = " " * 18
_BLOCK = re.compile(rf"(?m)^( +runCommand:\n +- \|\n)(?:(?:{INDENT}.*)?\n)+")


def main() -> int:
    """Write the script into the template."""
    TEMPLATE.write_text(written(TEMPLATE.read_text(), COLLECTOR.read_text("ascii")))
    return 0


def written(template: str, script: str) -> str:
    """Return the template with the script in its document; ValueError where a document cannot hold it."""
    if "{{" in script:
        raise ValueError("the collector has {{, which Systems Manager takes for a parameter of the document")
    if (size := len(json.dumps(script))) > MAX_OCTETS:
        raise ValueError(f"the collector has {size} octets in JSON; {MAX_OCTETS} is the most")
    if not script.endswith("\n") or script.endswith("\n\n"):
        raise ValueError("the collector does not end with one line break")
    block = "".join(f"{INDENT}{line}\n" if line else "\n" for line in script.splitlines())
    result, count = _BLOCK.subn(lambda found: f"{found[1]}{block}\n", template)
    if count != 1:
        raise ValueError(f"the template has {count} places for the collector")
    return result


if __name__ == "__main__":
    sys.exit(main())
