"""Whether browsers, which offer less than OpenSSL does, find anything at an address that it agreed with.

Checklist step 10; RFC 9113 section 9.2.2 for the suites that HTTP/2 forbids.
"""

import msgspec

from padlock.network import browser_hello
from padlock.network.failure import NetworkFailure
from padlock.probes.run import Run


def in_doubt(run: Run, host: str, address: str) -> bool:
    """Whether OpenSSL's handshake leaves open that browsers agree: TLS 1.3 with a key that they know does not."""
    look = run.handshakes[host, address, run.port("https"), host]
    leaf = run.certificates.get(look.chain[0]) if look.chain else None
    usual = leaf is None or leaf.key == "rsa" or (leaf.key == "ec" and leaf.key_bits in (256, 384))
    return look.protocol != "TLSv1.3" or not usual


async def ask_as_browser(run: Run, host: str, address: str) -> None:
    """Offer what browsers offer, and keep with the main look why they get nothing, seen twice."""
    refused = await _refusal(run, host, address, again=False)
    if refused and await _refusal(run, host, address, again=True) == refused:
        key = host, address, run.port("https"), host
        run.handshakes[key] = msgspec.structs.replace(run.handshakes[key], browsers=refused)


async def _refusal(run: Run, host: str, address: str, *, again: bool) -> str:
    """Return why a browser gets nothing; empty where it does, or where that stays open."""
    try:
        async with run.connection(host, address, run.port("https"), again=again) as connection:
            answer = await browser_hello.ask(connection, host)
    except NetworkFailure:
        return ""
    if answer.forbidden:
        return f"HTTP/2 with {answer.forbidden}, which it forbids"
    return f"the alert {answer.refusal}" if answer.refusal else ""
