"""The one exception that leaves the network package: what a remote side, or the way to it, did."""

from padlock.network.limits import BANNER_BYTES


class NetworkFailure(Exception):
    """An attempt that did not succeed.

    `kind` is one of the kinds of padlock.evidence.Failure; `detail` names the phase, alert or banner, printable and
    bounded.
    """

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(f"{kind}({detail})" if detail else kind)
        self.kind = kind
        self.detail = printable(detail)


def printable(text: str, limit: int = 300, keep: str = "") -> str:
    """Return text from outside with all but printable characters and `keep` escaped, at most `limit` characters."""
    if len(text) <= limit and text.isprintable():
        return text
    shown = "".join(
        c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text[: limit + 1]
    )
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def banner(octets: bytes) -> str:
    """Return the first line of what a peer sent, as text."""
    return octets[:BANNER_BYTES].decode("latin-1").lstrip().partition("\n")[0].rstrip()
