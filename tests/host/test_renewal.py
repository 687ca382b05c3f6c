"""Renewal on the real host: certbot's dry run against a real ACME server, and a certificate that nobody loads."""

import pytest

from tests.host.broken_steps import LIVE, edit
from tests.host.host import Host
from tests.host.outside import HOST, RECORDS
from tests.host.renewing import RENEW, dry_run, on_disk, served

pytestmark = pytest.mark.lab
FORGET_HOOK = "sed -i /renew_hook/d /etc/letsencrypt/renewal/shop.test.conf"


def test_dry_run_fails(host: Host) -> None:
    """A failed dry run is told in the authority's own words, with the likely reason; renewal is the cause.

    Nothing of it shows from outside: a folder that lacks an unknown challenge looks like the right one.
    """
    host.machine.must(edit("s|root /var/www/html|root /srv/www|") + " && systemctl reload nginx")
    checked = host.check(dry_run=True)
    assert checked.troubles == ["certbot.dry_run_failed"], checked.told()
    (found,) = [finding for finding in checked.report.findings if finding.code == "certbot.dry_run_failed"]
    told = ("shop.test: unauthorized: ", "404", "nginx does not serve the folder into which certbot writes")
    assert all(part in found.observed for part in told), checked.told()
    assert [cause.code for cause in checked.report.causes] == ["cause.renewal_broken"]
    assert [row.step for row in checked.report.checklist if row.status == "fail"] == [14, 18]


def test_dry_run_of_two_certificates(host: Host) -> None:
    """One succeeds; one fails, for its name is gone, which is the other site's affair: each is read as what it is."""
    host.outside.publish(f"{RECORDS}\nold 0 A {HOST}")
    host.machine.must(edit("1,/server_name/s/server_name /&old.shop.test /") + " && systemctl reload nginx")
    host.machine.must("certbot certonly --non-interactive --webroot --webroot-path /var/www/html -d old.shop.test")
    host.outside.publish(RECORDS)
    checked = host.check(dry_run=True)
    test = dry_run(checked)
    assert test.succeeded == (f"{LIVE}/fullchain.pem",)
    assert test.failed == ("/etc/letsencrypt/live/old.shop.test/fullchain.pem",)
    assert len(test.problems) == 1
    assert test.problems[0].startswith("old.shop.test: ")
    assert checked.troubles == [], checked.told()
    assert checked.unknown == []


def test_renewed_and_not_reloaded(host: Host) -> None:
    """A renewed certificate that nginx has not loaded is one cause, whose commands bring it to the visitors."""
    host.machine.must(f"{FORGET_HOOK}; sleep 5.2; {RENEW}")
    assert served(host) != on_disk(host)
    checked = host.check()
    assert checked.troubles == ["nginx.not_reloaded", "renewal.newer_certificate_not_served"], checked.told()
    assert [cause.code for cause in checked.report.causes] == ["cause.not_reloaded"]
    cause = checked.report.causes[0]
    assert (cause.confidence, set(cause.explains)) == ("certain", set(checked.troubles))
    host.run(checked.commands)
    assert served(host) == on_disk(host)
    healed = host.check()
    assert healed.troubles == [], healed.told()
    assert healed.report.causes == ()
