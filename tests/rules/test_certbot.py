"""certbot.*: a valid certificate of certbot's for every host, where certbot is who gets it."""

from datetime import timedelta
from typing import Any

import pytest
from padlock.evidence import Evidence, Ran, RenewalTest

from tests.evidence_builder import (
    HOSTS,
    NOW,
    certificate,
    change,
    fires,
    healthy,
    outcomes,
    report,
    silent,
    unassessed,
    with_leaf,
    with_trust,
)
from tests.host_builder import SITE, certbot, certificate_file, host, lineage, nginx, site, with_audit

DAY = timedelta(days=1)
MISSING, NAMES, EXPIRED = "certbot.missing", "certbot.names", "certbot.expired"
OTHERS_FILE = "/etc/ssl/shop/bundle.pem"


def audited(*, external: Evidence | None = None, certificates: Any = (), **fields: Any) -> Evidence:
    """Return the site whose machine's certbot differs in these fields, without any file beside certbot's list."""
    return with_audit(external or healthy(), certbot=certbot(**fields), certificates=certificates)


def unserved() -> Evidence:
    """Return the site whose TLS nobody saw, so that only the machine can tell."""
    return change(healthy(), tls=None)


def selfmade() -> Evidence:
    """Return the site that shows visitors a certificate which no browser trusts."""
    return with_trust(with_leaf(healthy(), serial="99"), "self_signed")


def one_name(**fields: Any) -> Any:
    """Return certbot's certificate for example.com alone."""
    return lineage(**{"names": HOSTS[:1], "authenticator": "nginx", "installer": "nginx", **fields})


def test_a_healthy_machine() -> None:
    """Nothing to say, and everything was looked at."""
    silent("certbot.missing", with_audit(healthy()))
    silent("certbot.names", with_audit(healthy()))
    silent("certbot.expired", with_audit(healthy()))
    rows = {row.step: row for row in report(with_audit(healthy())).checklist}
    assert rows[8].status == "pass"


def test_certbot_has_none() -> None:
    """A server with a self-made certificate, whose certbot has only another site's."""
    found = fires(
        "certbot.missing", audited(external=selfmade(), lineages=(lineage(name="blog", names=("blog.example",)),))
    )
    assert found.subject == "example.com on web-1"
    assert "none for example.com and www.example.com" in found.observed
    assert '"blog"' in found.observed
    assert found.commands == (
        "[ ! -e /etc/letsencrypt/archive/example.com ] && "
        "certbot certonly --webroot --webroot-path /var/www/html --deploy-hook 'systemctl reload nginx' "
        "--cert-name example.com -d example.com -d www.example.com",
        "nginx -t && systemctl reload nginx",
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("location /.well-known/acme-challenge/ { root /var/www/html; }", ""),
        ("{ root /var/www/html; }", "{ alias /var/www/challenges/; }"),
        ("{ root /var/www/html; }", "{ root relative; }"),
        ("/etc/letsencrypt/live/example.com/", "/etc/ssl/own/"),
    ],
    ids=["no place", "alias", "relative", "other files"],
)
def test_certbot_has_none_and_nginx_no_place_for_it(old: str, new: str) -> None:
    """Then certbot's plugin changes nginx's configuration itself."""
    machine = nginx(configuration=site(SITE.replace(old, new)))
    seen = with_audit(selfmade(), nginx=machine, certbot=certbot(lineages=()), certificates=())
    line = fires(MISSING, seen).commands[0]
    assert line.startswith("certbot --nginx ")
    assert not {"--agree-tos", "--register-unsafely-without-email"} & set(line.split())
    assert line.endswith(" -d example.com -d www.example.com")


def test_certificates_that_were_not_all_seen() -> None:
    """Where the list of certificate files was cut, somebody else's may be among the rest."""
    cut = {"certificates": Ran("openssl x509", 0, cut=True)}
    seen = with_audit(selfmade(), certbot=certbot(lineages=()), certificates=(), sections=cut)
    assert "more output than is kept" in unassessed(MISSING, seen)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"path": "/etc/letsencrypt/archive/example.com/fullchain1.pem", "key_fault": "missing"},
        {"fault": "missing", "certificate": None, "real_path": ""},
    ],
    ids=["whole", "archive", "the key alone"],
)
def test_files_of_before_are_in_the_way(fields: dict[str, Any]) -> None:
    """A name is refused whose files are there without its renewal: no command, and words that name the file."""
    file = certificate_file(**fields)
    found = fires(MISSING, audited(external=selfmade(), certificates=(file,), lineages=()))
    assert found.commands == ()
    assert "/etc/letsencrypt/renewal/example.com.conf" in found.remediation
    assert "sudo certbot certonly --webroot --webroot-path /var/www/html --cert-name example.com-new" in (
        found.remediation
    )
    (cause,) = (
        one
        for one in report(audited(external=selfmade(), certificates=(file,), lineages=())).causes
        if one.code == "cause.certificate_coverage"
    )
    assert cause.remediation == found.remediation


def test_another_sites_certificate_is_not_replaced() -> None:
    """Where certbot has a certificate of the name for other hosts, no command takes it from them."""
    other = lineage(names=("blog.example",))
    assert fires(MISSING, audited(external=selfmade(), lineages=(other,))).commands == ()


GONE = certificate_file(fault="missing", key_fault="missing", certificate=None, real_path="", key_matches=None)


def test_a_certificate_that_is_served_from_memory_alone() -> None:
    """No certificate is listed, and the files that nginx names are gone: no good answer from outside hides that."""
    found = fires(MISSING, audited(certificates=(GONE,), lineages=()))
    assert found.subject == "example.com on web-1"
    assert "--cert-name example.com " in found.commands[0]
    path = fires("nginx.certificate_path", audited(certificates=(GONE,), lineages=()))
    assert "NAME" not in path.remediation
    assert "NAME" in fires("nginx.certificate_path", audited(certificates=(GONE,))).remediation
    rows = {row.step: row for row in report(audited(certificates=(GONE,), lineages=())).checklist}
    assert (rows[8].status, rows[14].status) == ("fail", "unknown")
    elsewhere = change(GONE, path="/etc/ssl/shop/bundle.pem")
    silent(MISSING, audited(certificates=(elsewhere,), lineages=()))


def test_certbot_is_not_installed() -> None:
    """With no certificate at all it is missing, and Debian's packages are named; on another system only in words."""
    seen = with_audit(selfmade(), certbot=None, certificates=())
    assert fires("certbot.missing", seen).commands[0] == "apt-get install --yes certbot python3-certbot-nginx"
    assert fires(MISSING, with_audit(selfmade(), certbot=None, certificates=(), system="Alpine")).commands == ()


def test_certbots_files_without_certbot() -> None:
    """Another client, or a container, may renew them: worth a notice until it shows that nobody did."""
    assert fires(MISSING, with_audit(healthy(), certbot=None)).severity == "notice"
    old: dict[str, Any] = {"not_before": NOW - 70 * DAY, "not_after": NOW + 20 * DAY}
    late = (certificate_file(certificate=certificate(**old)),)
    assert (
        fires(MISSING, with_audit(with_leaf(healthy(), **old), certbot=None, certificates=late)).severity == "error"
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"certbot": None, "certificates": ()},
        {"certbot": None, "certificates": (), "nginx": None},
        {"certbot": certbot(lineages=()), "certificates": ()},
    ],
    ids=["no certbot", "neither nginx nor certbot", "empty certbot"],
)
def test_tls_ends_elsewhere(fields: dict[str, Any]) -> None:
    """Behind a load balancer with a good certificate of its own the machine needs none."""
    outside = with_leaf(healthy(), issuer="CN=Amazon RSA 2048 M02,O=Amazon,C=US", serial="77")
    silent("certbot.missing", with_audit(outside, **fields))
    assert outcomes(NAMES, with_audit(outside, **fields)) == []


def test_a_certificate_bought_by_hand() -> None:
    """A good one in a file of somebody else's, seen from outside or only on disk."""
    bought = certificate_file(path=OTHERS_FILE, key_path="/etc/ssl/shop/key.pem", real_path=OTHERS_FILE)
    silent(MISSING, audited(external=unserved(), certificates=(bought,), lineages=()))
    spoilt = change(bought, key_matches=False)
    assert MISSING in [
        f.code for f in report(audited(external=unserved(), certificates=(spoilt,), lineages=())).findings
    ]
    snakeoil = change(bought, certificate=certificate(issuer="CN=example.com"))
    fires(MISSING, audited(external=unserved(), certificates=(snakeoil,), lineages=()))


def test_another_machine_has_it() -> None:
    """Of two machines the one that TLS does not end on needs no certificate."""
    second = host(name="web-2", certbot=certbot(lineages=()), certificates=())
    silent(MISSING, change(healthy(), host=(host(), second)))


def test_a_name_is_missing() -> None:
    """The finding is about the host; the command adds it to what certbot has."""
    found = fires("certbot.names", audited(external=unserved(), lineages=(one_name(),)))
    assert found.subject == "www.example.com on web-1"
    assert found.commands == (
        "certbot --nginx --non-interactive --cert-name example.com --renew-with-new-domains "
        "-d example.com -d www.example.com",
        "nginx -t && systemctl reload nginx",
    )


@pytest.mark.parametrize(
    ("fields", "start"),
    [
        ({"installer": ""}, "certbot certonly --nginx "),
        (
            {"authenticator": "webroot", "webroot": "/var/www/my site"},
            "certbot certonly --webroot --webroot-path '/var/",
        ),
        ({"authenticator": "webroot"}, ""),
        ({"authenticator": "standalone"}, ""),
        ({"authenticator": "dns-route53"}, ""),
        ({"authenticator": ""}, ""),
        ({"names": ("*.shop.example.com", "example.com")}, ""),
        ({"name": "a\x1bb"}, ""),
    ],
)
def test_how_a_name_is_added(fields: dict[str, Any], start: str) -> None:
    """As the certificate was issued; where that takes a secret, port 80 or a guess, no command claims to heal."""
    lines = fires(NAMES, audited(external=unserved(), lineages=(one_name(**fields),))).commands
    assert lines[0].startswith(start) if start else lines == ()
    assert all("--deploy-hook 'systemctl reload nginx'" in line for line in lines if "certonly" in line)


def test_a_host_whose_certificate_is_elsewhere() -> None:
    """Its www on another service, with a certificate of the same authority, is not certbot's affair here."""
    outside = healthy()
    assert outside.tls
    other = certificate("5" * 64, serial="5E", dns_names=("www.example.com",))
    looks = tuple(
        change(look, chain=("5" * 64, *look.chain[1:])) if look.host == "www.example.com" else look
        for look in outside.tls.handshakes
    )
    trust = (*outside.tls.verifications, change(outside.tls.verifications[0], chain=("5" * 64, "2" * 64)))
    outside = change(
        outside,
        tls=change(
            outside.tls,
            handshakes=looks,
            verifications=trust,
            certificates={**outside.tls.certificates, "5" * 64: other},
        ),
    )
    silent("certbot.names", audited(external=outside, lineages=(one_name(),)))


def test_wildcards_and_two_certificates_cover() -> None:
    """Every host has a certificate, if not the same."""
    wild = lineage(name="wild", names=("example.com", "*.example.com"))
    silent(NAMES, audited(external=unserved(), lineages=(wild,)))
    silent(NAMES, audited(external=unserved(), lineages=(one_name(), lineage(name="www", names=HOSTS[1:]))))


@pytest.mark.parametrize(
    ("verdict", "commands"),
    [
        ("INVALID: EXPIRED", ("--cert-name example.com --no-random-sleep-on-renew",)),
        ("INVALID: REVOKED", ("--force-renewal",)),
        ("INVALID: TEST_CERT", ()),
    ],
)
def test_certbot_calls_it_invalid(verdict: str, commands: tuple[str, ...]) -> None:
    """The verdict is quoted; an expired or revoked one is renewed, one from a staging server is not."""
    bad = lineage(valid=False, verdict=verdict, not_after=NOW - DAY)
    found = fires("certbot.expired", audited(external=unserved(), lineages=(bad,)))
    assert verdict in found.observed
    assert bool(found.commands) is bool(commands)
    assert all(words in found.commands[0] for words in commands)


def test_it_expired_since_the_audit() -> None:
    """What was valid yesterday is judged by today's clock."""
    late = lineage(not_after=NOW - timedelta(minutes=1))
    assert "since the audit" in fires(EXPIRED, audited(external=unserved(), lineages=(late,))).observed


def test_a_configuration_that_certbot_cannot_read() -> None:
    """It has no names in the listing; its own is that of its first."""
    broken = lineage(
        name="example.com-0001", names=(), not_after=None, valid=False, verdict="INVALID: renewal configuration"
    )
    seen = audited(external=unserved(), lineages=(broken,))
    found = fires(EXPIRED, seen)
    assert (found.subject, found.commands) == ("example.com on web-1", ())
    assert "/etc/letsencrypt/renewal/example.com-0001.conf" in found.remediation
    assert "`sudo certbot delete --cert-name example.com-0001`; `sudo certbot certonly " in found.remediation
    left = certificate_file(real_path="/etc/letsencrypt/archive/example.com-0001/fullchain1.pem")
    beside = fires(EXPIRED, audited(external=unserved(), lineages=(broken,), certificates=(left,))).remediation
    assert "certbot delete" not in beside
    assert "--cert-name example.com-0001-new -d example.com`" in beside
    silent(MISSING, seen)
    assert "INVALID: renewal configuration" in unassessed(NAMES, seen)
    assert fires(EXPIRED, audited(lineages=(broken,), certificates=(GONE,))).subject == "example.com on web-1"


def test_left_over_certificates() -> None:
    """An expired one beside a valid one, and one whose host has long been served by somebody else."""
    old = lineage(name="old", valid=False, verdict="INVALID: EXPIRED", serial="01", not_after=NOW - 300 * DAY)
    silent(EXPIRED, audited(external=unserved(), lineages=(old, lineage())))
    outside = with_leaf(healthy(), issuer="CN=Amazon RSA 2048 M02,O=Amazon,C=US", serial="77")
    silent(EXPIRED, audited(external=outside, lineages=(old,)))


def test_a_failed_dry_run_offers_no_renewal() -> None:
    """What certbot could not do a moment ago is no fix."""
    bad = lineage(valid=False, verdict="INVALID: EXPIRED", not_after=NOW - DAY)
    test = RenewalTest(Ran("certbot renew --dry-run", 1), failed=("example.com",))
    assert fires(EXPIRED, audited(external=unserved(), lineages=(bad,), dry_run=test)).commands == ()


@pytest.mark.parametrize("code", [MISSING, NAMES, EXPIRED])
@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"certbot": certbot(listing=Ran("certbot certificates", 1, "boom"), lineages=None)}, '"boom"'),
        ({"sections": {"certbot_list": Ran("certbot certificates", 124)}}, "ran out"),
        ({"root": False}, "root"),
        ({"fault": "the command was cancelled"}, "cancelled"),
        ({"collected_at": NOW - 3 * DAY}, "3 days old"),
    ],
    ids=["no list", "timeout", "not root", "failed", "stale"],
)
def test_certbot_could_not_be_asked(code: str, fields: dict[str, Any], reason: str) -> None:
    """Neither missing nor well."""
    assert reason in unassessed(code, with_audit(unserved(), certificates=(), **fields))
