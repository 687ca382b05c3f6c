"""Sites whose certificates or handshakes visitors' browsers refuse (checklist steps 8 and 10)."""

from tests.lab.pki import Leaf
from tests.lab.scenarios._scenario import PROXY, UPGRADE, Block, Scenario, Service, both, own


def _verify(name: str, text: str) -> tuple[str, str]:
    """Return the proof that OpenSSL itself says this of a site's certificate."""
    return f"openssl s_client -connect {name}:443 -servername {name} -verify_hostname {name} </dev/null 2>&1", text


def _refused(code: str, name: str, leaf: Leaf, openssl: str, says: str = "", **fields: object) -> Scenario:
    """Return a site with this leaf, which OpenSSL refuses with these words."""
    scenario = {"says": says, "proofs": (_verify(name, openssl),), "leaves": {"": leaf}, **fields}
    return Scenario(code, name, **scenario)  # type: ignore[arg-type]


EXPIRED = Leaf(age=93, left=-3)

SCENARIOS = (
    _refused("certificate.expired", "expired.test", EXPIRED, "certificate has expired"),
    _refused(
        "certificate.expired",
        "expired-chain.test",
        Leaf(issuer="E9"),
        "certificate has expired",
        also=("certificate.untrusted",),
    ),
    _refused("certificate.not_yet_valid", "future.test", Leaf(age=-2, left=88), "certificate is not yet valid"),
    _refused(
        "certificate.expiring",
        "renew-soon.test",
        Leaf(age=70, left=20),
        "Verify return code: 0",
        severity="warning",
    ),
    _refused("certificate.expiring", "renew-now.test", Leaf(age=88, left=2), "Verify return code: 0"),
    Scenario(
        "certificate.name_mismatch",
        "mismatch.test",
        "www.mismatch.test",
        proofs=(_verify("www.mismatch.test", "hostname mismatch"), _verify("mismatch.test", "return code: 0")),
        leaves={"": Leaf(names=("mismatch.test",))},
    ),
    _refused(
        "certificate.name_mismatch",
        "deep-wildcard.test",
        Leaf(names=("*.deep-wildcard.test",)),
        "hostname mismatch",
        "deep-wildcard.test",
    ),
    _refused(
        "certificate.untrusted",
        "self-signed.test",
        Leaf(issuer="self", sent=("leaf",)),
        "self-signed certificate",
        "self-signed",
    ),
    _refused(
        "certificate.untrusted",
        "unknown-ca.test",
        Leaf(issuer="unknown"),
        "unable to get (local )?issuer certificate",
        "Unknown",
    ),
    _refused(
        "certificate.untrusted",
        "staging.test",
        Leaf(issuer="staging"),
        "unable to get (local )?issuer certificate",
        "STAGING",
    ),
    _refused(
        "certificate.incomplete_chain",
        "incomplete.test",
        Leaf(sent=("leaf",)),
        "unable to verify the first certificate",
        "Lab R11",
    ),
    _refused(
        "certificate.chain_order",
        "chain-order.test",
        Leaf(sent=("leaf", "root", "issuer")),
        "Verify return code: 0",
        severity="warning",
    ),
    _refused(
        "certificate.chain_order",
        "chain-unrelated.test",
        Leaf(sent=("leaf", "issuer", "R10")),
        "Verify return code: 0",
        severity="warning",
    ),
    _refused(
        "certificate.chain_order",
        "chain-root.test",
        Leaf(sent=("leaf", "issuer", "root")),
        "Verify return code: 0",
        severity="notice",
    ),
    _refused(
        "certificate.weak",
        "short-key.test",
        Leaf(key="rsa1024"),
        "Server public key is 1024 bit",
        "1024",
        also=("certificate.untrusted",),
    ),
    _refused("certificate.weak", "sha1.test", Leaf(hash="sha1"), "digest algorithm too weak", "sha1"),
    Scenario(
        "certificate.default_differs",
        "default-differs.test",
        severity="notice",
        proofs=(("openssl s_client -connect default-differs.test:443 -noservername </dev/null", "CN = default"),),
    ),
    Scenario(
        "certificate.malformed",
        "impossible-date.test",
        proofs=(_verify("impossible-date.test", "format error in certificate's notAfter field"),),
        leaves={"": Leaf(impossible_date=True)},
    ),
    Scenario(
        "certificate.malformed",
        "no-certificate.test",
        proofs=(("curl -skv https://no-certificate.test/ 2>&1 || true", "asn1 encoding routines"),),
        records=both(own(21)),
        blocks=(Block("no-certificate.test www.no-certificate.test", UPGRADE, 80, own(21)),),
        services=(Service("broken_certificate", own(21)),),
        also=("tls.handshake_failed",),
    ),
    Scenario(
        "certificate.too_large",
        "huge.test",
        proofs=(_verify("huge.test", "excessive message size"),),
        leaves={"": Leaf(names=("huge.test", "www.huge.test", *(f"host{n}.huge.test" for n in range(10_000))))},
        also=("tls.handshake_failed",),
    ),
    Scenario(
        "tls.handshake_failed",
        "no-block.test",
        "unrecognized",
        proofs=(_verify("no-block.test", "unrecognized name"),),
        records=both(own(22)),
        blocks=(
            Block("no-block.test www.no-block.test", UPGRADE, 80, own(22)),
            Block("_", "ssl_reject_handshake on;", 443, own(22), leaves=()),
        ),
    ),
    Scenario(
        "tls.handshake_failed",
        "tls-reset.test",
        "reset",
        proofs=(("curl -sv https://tls-reset.test/ 2>&1 || true", "reset by peer"),),
        records=both(own(23)),
        blocks=(Block("tls-reset.test www.tls-reset.test", UPGRADE, 80, own(23)),),
        services=(Service("reset", own(23)),),
        also=("port.https_closed",),
    ),
    Scenario(
        "tls.handshake_failed",
        "tls-silence.test",
        "nothing answers",
        proofs=(("curl -s -m 1 https://tls-silence.test/ || echo code $?", "code 28"),),
        records=both(own(24)),
        blocks=(Block("tls-silence.test www.tls-silence.test", UPGRADE, 80, own(24)),),
        services=(Service("silent", own(24)),),
        also=("port.https_closed",),
    ),
    Scenario(
        "tls.client_certificate_required",
        "mutual.test",
        severity="notice",
        proofs=(("curl -sk https://mutual.test/", "No required SSL certificate was sent"),),
        page="ssl_verify_client on; ssl_client_certificate certificates/root.pem; " + PROXY,
    ),
    Scenario(
        "tls.client_certificate_required",
        "mutual-strict.test",
        severity="notice",
        proofs=(("curl -skv https://mutual-strict.test/ 2>&1 || true", "certificate required"),),
        records="@ A " + own(25),
        blocks=(Block("mutual-strict.test", UPGRADE, 80, own(25)),),
        services=(Service("client_certificate", own(25)),),
        declare={"hosts": ["mutual-strict.test"]},
        also=("tls.no_http2",),
    ),
    Scenario(
        "tls.no_http2",
        "http1.test",
        severity="notice",
        proofs=(("curl -skI https://http1.test/", "HTTP/1.1 200"),),
        records="@ A " + own(26),
        blocks=(
            Block("http1.test", UPGRADE, 80, own(26)),
            Block("http1.test", PROXY, 443, own(26), listen="ssl"),
        ),
        declare={"hosts": ["http1.test"]},
    ),
)
