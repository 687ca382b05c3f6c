"""Sites whose Strict-Transport-Security header is missing, wrong or too early (RFC 6797, checklist step 15)."""

from tests.lab.pki import Leaf
from tests.lab.scenarios._scenario import PROXY, UPGRADE, Scenario

GOOD = "max-age=31536000"


def _hsts(*values: str) -> str:
    """Return a location that sends these headers."""
    return " ".join((*(f"add_header Strict-Transport-Security '{value}' always;" for value in values), PROXY))


def _sends(name: str, text: str) -> tuple[str, str]:
    """Return the proof that a site sends this header."""
    return f"curl -skI https://{name}/", f"strict-transport-security: {text}\\s"


SCENARIOS = (
    Scenario(
        "hsts.missing",
        "hsts-required.test",
        severity="warning",
        proofs=(("curl -sI https://hsts-required.test/ | grep -ci strict-transport || true", "^0$"),),
        declare={"hsts": "required"},
    ),
    Scenario(
        "hsts.premature",
        "hsts-early.test",
        first="certificate.name_mismatch",
        severity="warning",
        proofs=(_sends("hsts-early.test", "max-age=31536000; includeSubDomains"),),
        page=_hsts("max-age=31536000; includeSubDomains"),
        leaves={"": Leaf(names=("hsts-early.test",))},
    ),
    Scenario(
        "hsts.invalid",
        "hsts-invalid.test",
        severity="warning",
        proofs=(_sends("hsts-invalid.test", "max-age=one-year"),),
        page=_hsts("max-age=one-year"),
    ),
    Scenario(
        "hsts.duplicate",
        "hsts-twice.test",
        severity="warning",
        proofs=(_sends("hsts-twice.test", "max-age=31536000\\s+(.|\n)*max-age=300"),),
        page=_hsts(GOOD, "max-age=300"),
    ),
    Scenario(
        "hsts.disabled",
        "hsts-off.test",
        severity="notice",
        proofs=(_sends("hsts-off.test", "max-age=0"),),
        page=_hsts("max-age=0"),
    ),
    Scenario(
        "hsts.short",
        "hsts-short.test",
        severity="notice",
        proofs=(_sends("hsts-short.test", "max-age=300"),),
        page=_hsts("max-age=300"),
    ),
    Scenario(
        "hsts.over_http",
        "hsts-plain.test",
        severity="notice",
        proofs=(("curl -sI http://hsts-plain.test/", "Strict-Transport-Security: max-age"),),
        http=f"add_header Strict-Transport-Security '{GOOD}' always; {UPGRADE}",
        page=_hsts(GOOD),
    ),
    Scenario(
        "hsts.preload_unready",
        "hsts-preload.test",
        severity="notice",
        proofs=(_sends("hsts-preload.test", "max-age=31536000; preload"),),
        page=_hsts("max-age=31536000; preload"),
    ),
)
