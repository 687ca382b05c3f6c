"""Names that DNSSEC, CAA or their own registration put at risk (checklist step 14, and beyond it)."""

from tests.lab.pki import Leaf
from tests.lab.scenarios._scenario import WEB, Scenario

RESOLVER = "45.83.53.53"
DIGICERT = {"": Leaf(issuer="D1")}
BOTH = f"@ A {WEB}\nwww A {WEB}"

SCENARIOS = (
    Scenario(
        "dns.dnssec_bogus",
        "bogus.test",
        f"with checking disabled {WEB}",
        first="dns.unresolvable",
        also=("dns.unresolvable",),
        proofs=(
            ("dig bogus.test", "status: SERVFAIL"),
            ("dig +short +cdflag bogus.test", WEB),
            ("dig +short +norecurse @45.83.53.1 bogus.test", WEB),
        ),
        declare={"hosts": ["bogus.test"]},
        signed="expired",
    ),
    Scenario(
        "dns.caa_forbids_issuer",
        "caa-other.test",
        'issue "letsencrypt.org"',
        proofs=(("dig +short caa-other.test CAA", '0 issue "letsencrypt.org"'),),
        records=f'{BOTH}\n@ CAA 0 issue "letsencrypt.org"\n@ CAA 0 iodef "mailto:admin@caa-other.test"',
        leaves=DIGICERT,
    ),
    Scenario(
        "dns.caa_forbids_issuer",
        "caa-nobody.test",
        'issue ";"',
        proofs=(("dig +short caa-nobody.test CAA", '0 issue ";"'),),
        records=f'{BOTH}\n@ CAA 0 issue ";"',
    ),
    Scenario(
        "dns.caa_forbids_issuer",
        "caa-alias.test",
        "an alias of restricted.caa-alias.test",
        proofs=(("dig +short www.caa-alias.test CAA", '0 issue "pki.goog"'),),
        records=f'@ A {WEB}\nwww CNAME restricted\nrestricted A {WEB}\nrestricted CAA 0 issue "pki.goog"',
        leaves=DIGICERT,
    ),
    Scenario(
        "registration.expiring",
        "expiring-domain.test",
        'in 19 days (registrar "RESERVED-Internet Assigned Numbers Authority")',
        severity="warning",
        proofs=(("curl -s https://rdap.ca.test/domain/expiring-domain.test", '"expiration"'),),
        registered_days=19.5,
    ),
    Scenario(
        "registration.expiring",
        "expired-domain.test",
        "2 days ago",
        proofs=(("curl -s https://rdap.ca.test/domain/expired-domain.test", '"expiration"'),),
        registered_days=-2.5,
    ),
    Scenario(
        "registration.on_hold",
        "on-hold.test",
        "client hold",
        first="dns.unresolvable",
        also=("dns.unresolvable", "dns.www_missing"),
        proofs=(
            ("curl -s https://rdap.ca.test/domain/on-hold.test", '"client hold"'),
            ("dig on-hold.test", "status: NXDOMAIN"),
        ),
        nameservers=(),
        blocks=(),
        registration_status=("client hold", "client transfer prohibited"),
    ),
)

HEALTHY = (
    Scenario(
        "",
        "signed.test",
        severity="",
        proofs=(
            (f"dig +dnssec @{RESOLVER} signed.test", "flags: qr rd ra ad(.|\n)*RRSIG"),
            ("curl -sSL http://signed.test/", "Welcome to the shop at https://signed.test/"),
        ),
        signed="valid",
    ),
    Scenario(
        "",
        "caa.test",
        severity="",
        proofs=(("dig +short caa.test CAA", "validationmethods=dns-01"),),
        records=(
            f'{BOTH}\n@ CAA 0 issue "pki.goog"\n@ CAA 0 issue "digicert.com; validationmethods=dns-01"\n'
            '@ CAA 0 issuewild ";"\n@ CAA 128 iodef "mailto:admin@caa.test"'
        ),
        leaves=DIGICERT,
    ),
    Scenario(
        "",
        "caa-wildcard.test",
        severity="",
        proofs=(("dig +short caa-wildcard.test CAA", '0 issuewild "digicert.com"'),),
        records=f'{BOTH}\n@ CAA 0 issue ";"\n@ CAA 0 issuewild "digicert.com"',
        declare={"hosts": ["www.caa-wildcard.test"], "canonical": "www.caa-wildcard.test"},
        canonical="www",
        leaves={"": Leaf(issuer="D1", names=("*.caa-wildcard.test",))},
    ),
    Scenario(
        "",
        "locked-domain.test",
        severity="",
        proofs=(("curl -s https://rdap.ca.test/domain/locked-domain.test", '"server delete prohibited"'),),
        registered_days=31,
        registration_status=("client transfer prohibited", "server delete prohibited", "auto renew period"),
    ),
    Scenario(
        "",
        "without-registration.test",
        severity="",
        proofs=(
            ("curl -s -o /dev/null -w %{http_code} https://rdap.ca.test/domain/without-registration.test", "404"),
        ),
        registered_days=None,
    ),
)
