"""Rules over the way from the leaf to a trust anchor (checklist step 10 and its debugging section)."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from padlock.evidence import Certificate, Evidence, Verification
from padlock.findings import Severity
from padlock.rules._rule import Outcome, Problem, Unknown, rule
from padlock.rules._served import Served, described, judge
from padlock.rules._subjects import listed
from padlock.site import Site

FULL_CHAIN = (
    "Serve the chain that certbot writes: `ssl_certificate /etc/letsencrypt/live/{host}/fullchain.pem;`, not "
    "cert.pem (`sudo certbot certificates` shows the path), then `sudo nginx -t && sudo systemctl reload nginx`."
)
_NOT_LOOKED_AT = "its chain was not verified"

_STAGING = ("(STAGING)", "Pebble", "Fake LE")
"""In names of issuers that only test: Let's Encrypt's staging service, before 2021 too, and its test server."""
_DEFAULTS: Mapping[str, str] = {
    "snakeoil": "the distribution's snakeoil certificate",
    "CN=localhost": "a program's default certificate",
    "SomeOrganization": "the distribution's default certificate",
    "Internet Widgits": "made with openssl's default answers",
    "TRAEFIK DEFAULT CERT": "Traefik's default certificate",
    "Kubernetes Ingress Controller Fake": "the ingress controller's default certificate",
    "Parallels Panel": "Plesk's default certificate",
}
"""What stands in the subject of certificates that come with a program."""
_SNAKEOIL_LIFETIME = timedelta(days=3650)
"""Debian's make-ssl-cert: ten years, for the machine's own name and nothing else."""


def _chain(evidence: Evidence, item: Served) -> list[Certificate]:
    """Return the certificates as sent, those that could be parsed."""
    sent = [evidence.tls.certificates.get(digest) for digest in item.handshake.chain] if evidence.tls else []
    return [certificate for certificate in sent if certificate and certificate.subject + certificate.issuer]


@rule(
    "certificate.untrusted",
    Severity.ERROR,
    step=10,
    reads="tls",
    summary="certificate not trusted",
    impact="Browsers show a full-page warning: the connection is not private.",
    remediation="`sudo certbot --nginx -d {host}` issues one that browsers trust; "
    "`sudo nginx -T | grep ssl_certificate` shows which one is served now.",
    reference="checklist step 10; RFC 5280 section 6",
)
def untrusted(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Name why no path leads to a trust anchor; expired and incomplete chains have codes of their own."""

    def fault(item: Served) -> Problem | Unknown | None:
        look = item.verification
        if look is None:
            return Unknown("", _NOT_LOOKED_AT)
        if look.status not in ("self_signed", "unknown_issuer", "invalid"):
            return None
        if item.leaf.malformed:
            return Unknown("", "the certificate cannot be parsed")
        observed, fix = _distrust(site, item.leaf, look, _chain(evidence, item))
        return Problem("", observed, "a chain to a public root, or to a declared private_ca", remediation=fix)

    yield from judge(evidence, fault)


def _distrust(site: Site, leaf: Certificate, look: Verification, chain: Sequence[Certificate]) -> tuple[str, str]:
    """Return the cause, and its own fix."""
    names = [text for certificate in chain for text in (certificate.subject, certificate.issuer)]
    if any(mark in name for mark in _STAGING for name in names):
        fix = (
            "It was issued with --staging or --test-cert. `sudo certbot --nginx --force-renewal -d {host}` without "
            "that option (and without a staging `server =` in /etc/letsencrypt/renewal/*.conf) issues a real one."
        )
        return f"issued by a staging authority, {leaf.issuer}, which is for tests only", fix
    kind = _default(leaf)
    if look.status == "self_signed" and (leaf.is_self_signed or len(chain) < 2):
        return f"self-signed: {described(leaf)}{f', {kind}' if kind else ''}", ""
    if look.status == "invalid":
        return f"not acceptable: {look.detail or 'the chain does not verify'}", ""
    top = look.missing_issuer or (chain[-1].subject if look.status == "self_signed" else leaf.issuer)
    if site.private_ca:
        return f"issued by {top}, neither a public root nor the declared private_ca", ""
    fix = (
        f"{FULL_CHAIN} If the authority is your own, declare its certificate as `private_ca` of the site; if not, "
        "`sudo certbot --nginx -d {host}` issues a trusted one."
    )
    return f"issued by {top}, an authority that is neither public nor declared", fix


def _default(leaf: Certificate) -> str:
    """Return which program's default certificate a self-signed one is; empty where nothing tells."""
    known = next((kind for mark, kind in _DEFAULTS.items() if mark in leaf.subject), "")
    if known or leaf.not_before is None or leaf.not_after is None:
        return known
    bare = leaf.subject == f"CN={leaf.common_name}" and set(leaf.dns_names) <= {leaf.common_name}
    lifetime = leaf.not_after - leaf.not_before
    return _DEFAULTS["snakeoil"] if bare and lifetime == _SNAKEOIL_LIFETIME else ""


@rule(
    "certificate.incomplete_chain",
    Severity.ERROR,
    step=10,
    reads="tls",
    summary="intermediate certificate missing",
    impact="Some browsers repair it; phones, curl, Python and payment services refuse the connection.",
    remediation=FULL_CHAIN,
    reference="checklist, debugging section; RFC 8446 section 4.4.2",
)
def incomplete_chain(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find chains that verify only with a certificate fetched from elsewhere."""

    def fault(item: Served) -> Problem | Unknown | None:
        look = item.verification
        if look is None:
            return Unknown("", _NOT_LOOKED_AT)
        if look.status != "incomplete":
            return None
        missing = look.missing_issuer or item.leaf.issuer
        count = len(item.handshake.chain)
        observed = f"{count} certificate{'' if count == 1 else 's'} sent, without the intermediate {missing}"
        return Problem("", observed, "the leaf and every intermediate")

    yield from judge(evidence, fault)


@rule(
    "certificate.chain_order",
    Severity.WARNING,
    step=10,
    reads="tls",
    summary="certificate chain is untidy",
    impact="Strict or old clients refuse a chain out of order; superfluous certificates make every visit slower.",
    remediation=FULL_CHAIN,
    reference="RFC 5246 section 7.4.2; RFC 8446 section 4.4.2",
)
def chain_order(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Judge the order of a chain that can be trusted; a root or another path sent along is a notice."""

    def fault(item: Served) -> Problem | Unknown | None:
        look = item.verification
        if look is None or look.status in ("self_signed", "unknown_issuer", "incomplete", "invalid"):
            return Unknown("", "its chain is not trusted, or was not verified")
        expected = "the leaf first, then each one's issuer, without the root"
        if item.handshake.chain_truncated:
            return Problem("", f"more than {len(item.handshake.chain)} certificates are sent", expected)
        wrong, extra = disorder(_chain(evidence, item))
        if wrong:
            return Problem("", "; ".join(wrong), expected)
        return Problem("", "; ".join(extra), expected, Severity.NOTICE) if extra else None

    yield from judge(evidence, fault)


def disorder(chain: Sequence[Certificate]) -> tuple[list[str], list[str]]:
    """Return what is wrong with a chain's order, and what is merely superfluous in it."""
    wrong: list[str] = []
    extra: list[str] = []
    issuers = {certificate.issuer for certificate in chain if certificate.issuer != certificate.subject}
    placed: list[Certificate] = list(chain[:1])
    for number, certificate in enumerate(chain[1:], 2):
        name = f"certificate {number}, {certificate.subject},"
        if any(other.sha256 == certificate.sha256 for other in placed):
            wrong.append(f"{name} is sent twice")
        elif certificate.subject == placed[-1].issuer:
            placed.append(certificate)
            extra += [f"{name} is a root"] if certificate.subject == certificate.issuer else []
        elif any(other.subject == certificate.subject for other in placed):
            extra.append(f"{name} belongs to another path")  # a cross-signed twin, for older clients
        elif certificate.subject in issuers:
            wrong.append(f"{name} is out of order")
        else:
            wrong.append(f"{name} does not belong to the chain")
    return wrong, extra


_CURVES = ("secp256r1", "prime256v1", "secp384r1", "secp521r1")
"""The curves of the CA/Browser Forum's Baseline Requirements, section 6.1.5: those that browsers know."""


@rule(
    "certificate.weak",
    Severity.ERROR,
    step=10,
    reads="tls",
    summary="weak certificate",
    impact="Browsers refuse the certificate, or whoever tries hard enough can forge it.",
    remediation="`sudo certbot --nginx --force-renewal --key-type ecdsa --elliptic-curve secp256r1 -d {host}` issues "
    "one with a current key.",
    reference="CA/Browser Forum Baseline Requirements sections 6.1.5 and 7.1.3.2",
)
def weak(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Judge the keys and signatures of the leaf and of the path; nobody checks the signature of a root."""

    def fault(item: Served) -> Problem | Unknown | None:
        if item.leaf.malformed and not item.leaf.key:
            return Unknown("", "the certificate cannot be parsed")
        look = item.verification
        path = look.path[1:-1] if look else ()
        above = [certificate for certificate in _chain(evidence, item)[1:] if certificate.subject in path]
        found = [f"{certificate.subject}: {flaw}" for certificate in above if (flaw := _flaw(certificate))]
        own = _flaw(item.leaf)
        if own or found:
            return Problem("", listed([own, *found] if own else found), "RSA of 2048 bits, or P-256, with SHA-256")
        if look and look.status == "weak":
            return Problem("", look.detail or "a weak certificate in the chain", "current keys and signatures")
        return None

    yield from judge(evidence, fault)


def _flaw(certificate: Certificate) -> str:
    """Return what is weak about a certificate."""
    if certificate.key == "dsa" or (certificate.key == "rsa" and certificate.key_bits < 2048):
        return f"{certificate.key.upper()} key of {certificate.key_bits} bits"
    if certificate.key == "ec" and certificate.curve and certificate.curve not in _CURVES:
        return f"key on the curve {certificate.curve}, which browsers do not accept"
    if certificate.key == "ec" and 0 < certificate.key_bits < 256:
        return f"EC key of {certificate.key_bits} bits"
    if not certificate.is_self_signed and certificate.signature_hash in ("md2", "md4", "md5", "sha1"):
        return f"signed with {certificate.signature_hash.upper()}"
    return ""
