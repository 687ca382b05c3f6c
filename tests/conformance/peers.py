"""What curl, openssl and testssl.sh make of a case, each told the address and the authority."""

import asyncio
import os
import re
import signal
from collections.abc import Mapping
from pathlib import Path

import msgspec

from tests.conformance.case import Case, Opinion, Verdict
from tests.conformance.corpus import Corpus

_SECONDS = 150.0
"""After which a program hangs; testssl.sh takes seven on an idle machine."""
_TESTSSL_IDS = re.compile(
    r"cert_(trust|chain_of_trust|expirationStatus|signatureAlgorithm|keySize|subjectAltName|notBefore)"
    r"|cert_crlRevoked|certs_list_ordering_problem|SSLv2|SSLv3|TLS1|TLS1_1|TLS1_2|TLS1_3|scanProblem"
)
"""What of testssl.sh's findings is about trust, certificate and protocol; the rest is advice."""
_OPINIONS: Mapping[Opinion, tuple[str, ...]] = {
    "refuses": ("HIGH", "CRITICAL", "FATAL"),
    "warns": ("LOW", "MEDIUM", "WARN"),
}
"""What the severities of its findings come to, the worst first."""


async def curl(corpus: Corpus, case: Case) -> Verdict:
    """Fetch the page as `curl --fail` does, redirects followed."""
    port, address = corpus.ports.get(case.host, 443), corpus.addresses[case.host]
    url = f"{case.start}://{case.host}{'' if port == 443 else f':{port}'}/"
    pinned = [word for p in (80, port) for word in ("--resolve", f"{case.host}:{p}:{address}")]
    words = ("-sS", "--fail", "--location", "--max-time", "15", "-o", os.devnull, "--cacert", str(corpus.ca_file))
    status, printed = await _run("curl", *words, *pinned, url)
    told = re.findall(r"^curl: (.+)", printed, re.MULTILINE)
    return Verdict("accepts") if status == 0 else Verdict("refuses", told[0] if told else printed.strip())


async def openssl(corpus: Corpus, case: Case) -> Verdict:
    """Shake hands and verify as `openssl s_client -verify_return_error -verify_hostname` does."""
    place = f"{corpus.addresses[case.host]}:{corpus.ports.get(case.host, 443)}"
    words = f"s_client -connect {place} -servername {case.host} -verify_hostname {case.host} -verify_return_error"
    status, printed = await _run("openssl", *words.split(), "-CAfile", str(corpus.ca_file), "-no-CApath")
    if status == 0:
        return Verdict("accepts")
    told = re.findall(r"verify error:num=\d+:(.+)|:error:[^:]+:[^:]*:[^:]*:([^:]+):", printed)
    reasons = [first or second for first, second in told]
    return Verdict("refuses", reasons[0] if reasons else printed.strip().splitlines()[-1])


async def testssl(corpus: Corpus, case: Case) -> Verdict:
    """Let `testssl.sh` judge the certificate, or where that is beside the point, the protocols.

    It asks OpenSSL to connect to `invalid.` again and again, which takes minutes without a resolver that says no.
    """
    file = corpus.directory / f"testssl-{case.name}.json"
    resolver = corpus.directory / "resolv.conf"
    resolver.write_text("nameserver 127.0.0.1\n")  # where nothing listens
    alone = ("unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"', str(resolver))
    subject = "-p" if case.section in ("protocol", "cipher", "client") else "-S"
    options = (
        f"--quiet --color 0 --warnings off --nodns none --connect-timeout 5 --openssl-timeout 8 --fast {subject}"
    )
    words = (*options.split(), "--add-ca", str(corpus.ca_file), "--jsonfile", str(file))
    place = f"{case.host}:{corpus.ports.get(case.host, 443)}"
    _, printed = await _run(*alone, "testssl", *words, "--ip", corpus.addresses[case.host], place)
    return of_findings(file, printed, "TLS1_2" if subject == "-p" else "cert_trust")


def of_findings(file: Path, printed: str, needed: str) -> Verdict:
    """Return what findings come to; where the one that is needed is not there, no handshake came so far."""
    try:
        findings = msgspec.json.decode(file.read_bytes(), type=list[dict[str, str]])
    except (OSError, msgspec.DecodeError):
        return Verdict("refuses", printed.strip().splitlines()[-1])
    ours = [finding for finding in findings if _TESTSSL_IDS.match(finding["id"])]
    for opinion, severities in _OPINIONS.items():
        found = [f"{finding['id']}: {finding['finding']}" for finding in ours if finding["severity"] in severities]
        if found:
            return Verdict(opinion, "; ".join(found))
    looked = any(finding["id"].startswith(needed) for finding in findings)
    return Verdict("accepts") if looked else Verdict("refuses", "no handshake came so far")


async def _run(*words: str) -> tuple[int, str]:
    """Return a program's exit status and what it printed; it is ended where it does not end by itself."""
    process = await asyncio.create_subprocess_exec(
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(_SECONDS):
            printed, _ = await process.communicate()
    except TimeoutError:
        raise RuntimeError(f"{' '.join(words)} did not end within {_SECONDS:g} s") from None
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    return process.returncode or 0, printed.decode(errors="replace")
