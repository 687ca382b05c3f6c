"""Sites whose TLS is old, whose issuer took the certificate back, or that have two certificates (step 10)."""

from typing import Any

from tests.lab.pki import Leaf
from tests.lab.scenarios._scenario import PROXY, UPGRADE, WEB, Block, Scenario, Service, both, own

RSA = Leaf(key="rsa")


def _speaks(name: str, address: str, version: str, protocol: str) -> tuple[str, str]:
    """Return the proof that OpenSSL agrees on this version with an address."""
    command = f"openssl s_client -connect {address}:443 -servername {name} -{version} -cipher ALL@SECLEVEL=0"
    return f"{command} </dev/null 2>&1", rf"Protocol *: {protocol}\s"


def _verified(name: str, algorithms: str, text: str) -> tuple[str, str]:
    """Return the proof that OpenSSL says this of the certificate that signs with these algorithms."""
    command = f"openssl s_client -connect {name}:443 -servername {name} -verify_hostname {name} -tls1_2"
    return f"{command} -sigalgs {algorithms} </dev/null 2>&1", text


def _blocks(name: str, address: str, body: str, leaves: tuple[str, ...]) -> tuple[Block, ...]:
    """Return a whole site's server blocks on an address of its own."""
    return (
        Block(f"{name} www.{name}", UPGRADE, 80, address),
        Block(name, body, 443, address, leaves=leaves),
        Block(f"www.{name}", f"return 301 https://{name}$request_uri;", 443, address, leaves=leaves),
    )


def _two_leaves(code: str, name: str, number: int, ecdsa: Leaf, rsa: Leaf, **fields: Any) -> Scenario:
    """Return a site with an ECDSA and an RSA certificate."""
    return Scenario(
        code,
        name,
        records=both(own(number)),
        blocks=_blocks(name, own(number), PROXY, ("ec", "rsa")),
        leaves={"ec": ecdsa, "rsa": rsa},
        **fields,
    )


SCENARIOS = (
    Scenario(
        "tls.obsolete_protocol",
        "old-tls.test",
        "accepts TLS 1.0 (ECDHE-RSA-AES256-SHA) and TLS 1.1 (ECDHE-RSA-AES256-SHA), beside TLSv1.3",
        severity="warning",
        proofs=(
            _speaks("old-tls.test", own(120), "tls1", "TLSv1"),
            _speaks("old-tls.test", own(120), "tls1_1", "TLSv1.1"),
        ),
        records=both(own(120)),
        blocks=_blocks("old-tls.test", own(120), "ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3; " + PROXY, ("",)),
        leaves={"": RSA},
    ),
    # One of two machines was forgotten; an ECDSA key is no hindrance.
    Scenario(
        "tls.obsolete_protocol",
        "old-second.test",
        f"old-second.test at {own(121)}",
        severity="warning",
        proofs=(_speaks("old-second.test", own(121), "tls1_1", "TLSv1.1"),),
        records=f"@ A {WEB}\n@ A {own(121)}\nwww A {WEB}",
        more_blocks=(
            Block("old-second.test", UPGRADE, 80, own(121)),
            Block("old-second.test", "ssl_protocols TLSv1.1 TLSv1.2 TLSv1.3; " + PROXY, 443, own(121)),
        ),
    ),
    Scenario(
        "tls.obsolete_protocol",
        "only-old-tls.test",
        "and nothing newer",
        proofs=(
            ("curl -sk https://only-old-tls.test/ || echo code $?", "code 35"),
            _speaks("only-old-tls.test", own(122), "tls1_1", "TLSv1.1"),
        ),
        records=both(own(122)),
        blocks=_blocks("only-old-tls.test", own(122), "ssl_protocols TLSv1 TLSv1.1; " + PROXY, ("",)),
        leaves={"": RSA},
    ),
    # No OpenSSL here speaks SSL 3.0: the server is played, its ServerHello read by OpenSSL's own parser.
    Scenario(
        "tls.obsolete_protocol",
        "ssl3.test",
        "accepts SSL 3.0 (AES256-SHA), and nothing newer",
        proofs=(
            ("openssl s_client -connect ssl3.test:443 -trace </dev/null 2>&1", "unsupported protocol"),
            ("curl -sk https://ssl3.test/ || echo code $?", "code 35"),
        ),
        records=both(own(123)),
        blocks=(Block("ssl3.test www.ssl3.test", UPGRADE, 80, own(123)),),
        services=(Service("ssl3", own(123)),),
    ),
    Scenario(
        "certificate.revoked",
        "revoked.test",
        "keyCompromise",
        proofs=(
            (
                "chain=$CERTIFICATES/revoked.test.pem; openssl verify -crl_check -CAfile $CERTIFICATES/root.pem "
                "-untrusted $chain -CRLfile <(curl -s http://r11.ca.test/r11.crl | openssl crl -inform DER) "
                "$chain 2>&1",
                "certificate revoked",
            ),
        ),
        leaves={"": Leaf(revoked=True)},
    ),
    # A curve that no browser offers: OpenSSL itself connects only where it is told to.
    Scenario(
        "tls.handshake_failed",
        "odd-curve.test",
        "handshake_failure",
        proofs=(
            ("curl -sk https://odd-curve.test/ || echo code $?", "code 35"),
            (
                "openssl s_client -connect odd-curve.test:443 -servername odd-curve.test -tls1_2 "
                "-groups secp256k1:X25519 </dev/null 2>&1 | openssl x509 -noout -text",
                "ASN1 OID: secp256k1",
            ),
        ),
        leaves={"": Leaf(key="secp256k1")},
    ),
    # Modern browsers get the good certificate; the other one expires unseen.
    _two_leaves(
        "certificate.expired",
        "two-leaves-expired.test",
        124,
        Leaf(),
        Leaf(key="rsa", age=93, left=-3),
        proofs=(
            _verified("two-leaves-expired.test", "ECDSA+SHA256", "Verify return code: 0"),
            _verified("two-leaves-expired.test", "RSA+SHA256", "certificate has expired"),
        ),
    ),
    _two_leaves(
        "certificate.name_mismatch",
        "two-leaves-mismatch.test",
        125,
        Leaf(names=("two-leaves-mismatch.example",)),
        RSA,
        proofs=(
            _verified("two-leaves-mismatch.test", "ECDSA+SHA256", "hostname mismatch"),
            _verified("two-leaves-mismatch.test", "RSA+SHA256", "Verify return code: 0"),
        ),
    ),
    _two_leaves(
        "certificate.revoked",
        "two-leaves-revoked.test",
        126,
        Leaf(),
        Leaf(key="rsa", revoked=True),
        proofs=(_verified("two-leaves-revoked.test", "RSA+SHA256", "Verify return code: 0"),),
    ),
    _two_leaves(
        "certificate.weak",
        "two-leaves-weak.test",
        127,
        Leaf(),
        Leaf(key="rsa1024"),
        says="1024",
        proofs=(_verified("two-leaves-weak.test", "RSA+SHA256", "Server public key is 1024 bit"),),
        also=("certificate.untrusted",),
    ),
)


def _healthy(name: str, **fields: Any) -> Scenario:
    """Return a healthy site whose page curl gets with a certificate that it trusts."""
    proof = (f"curl -sSL http://{name}/", f"Welcome to the shop at https://{name}/")
    return Scenario("", name, severity="", **{"proofs": (proof,), **fields})


HEALTHY = (
    # Each of its handshakes costs a fifth of a second: one host is enough.
    _healthy(
        "rsa-16384.test",
        records=f"@ A {WEB}",
        leaves={"": Leaf(key="rsa16384")},
        declare={"hosts": ["rsa-16384.test"]},
    ),
    # A certificate is asked for, and nobody needs to have one.
    _healthy(
        "mutual-optional.test",
        page="ssl_verify_client optional; ssl_client_certificate certificates/root.pem; " + PROXY,
    ),
    # What Mozilla calls the modern configuration: TLS 1.3 alone, one curve.
    _healthy(
        "modern-tls.test",
        records=both(own(128)),
        address=own(128),
        page="ssl_protocols TLSv1.3; ssl_ecdh_curve X25519:prime256v1; " + PROXY,
    ),
)
