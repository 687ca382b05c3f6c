"""Every hostile behaviour, in the order of the table."""

from tests.hostile import (
    crowd_behaviours,
    dns_behaviours,
    http_behaviours,
    page_behaviours,
    redirect_behaviours,
    text_behaviours,
    tls_behaviours,
)
from tests.hostile.behaviour import Behaviour

ALL: tuple[Behaviour, ...] = (
    *http_behaviours.BEHAVIOURS,
    *crowd_behaviours.BEHAVIOURS,
    *redirect_behaviours.BEHAVIOURS,
    *page_behaviours.BEHAVIOURS,
    *text_behaviours.BEHAVIOURS,
    *tls_behaviours.BEHAVIOURS,
    *dns_behaviours.BEHAVIOURS,
)
