"""Renewal on the host: how it is done, what visitors get of it, and what was read of a dry run."""

from padlock.evidence import RenewalTest

from tests.host.host import Checked, Host
from tests.host.outside import HOST

RENEW = "certbot renew --cert-name shop.test --force-renewal --no-random-sleep-on-renew"


def served(host: Host) -> str:
    """Return the serial number of the certificate that visitors get."""
    ask = f"openssl s_client -connect {HOST}:443 -servername shop.test </dev/null | openssl x509 -noout -serial"
    return host.outside.run("sh", "-c", ask)


def on_disk(host: Host) -> str:
    """Return the serial number of certbot's certificate."""
    return host.machine.must("openssl x509 -noout -serial -in /etc/letsencrypt/live/shop.test/cert.pem")


def dry_run(checked: Checked) -> RenewalTest:
    """Return what was read of the dry run."""
    machine = (checked.evidence.host or ())[0]
    assert machine.certbot
    assert machine.certbot.dry_run
    return machine.certbot.dry_run
