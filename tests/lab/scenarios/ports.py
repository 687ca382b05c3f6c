"""Sites whose ports do not answer, or answer in the wrong protocol (checklist steps 3, 7 and 10)."""

from tests.lab.scenarios._scenario import DEAD, PROXY, UNREACHABLE, UPGRADE, WEB, Block, Scenario, Service, both, own

SCENARIOS = (
    Scenario(
        "port.https_closed",
        "refused.test",
        "refused",
        proofs=(("curl -s https://refused.test/ || echo code $?", "code 7"),),
        records=both(own(10)),
        blocks=(Block("refused.test www.refused.test", UPGRADE, 80, own(10)),),
    ),
    Scenario(
        "port.https_closed",
        "firewall.test",
        "no answer",
        proofs=(
            ("curl -s -m 1 https://firewall.test/ || echo code $?", "code 28"),
            ("curl -sI http://firewall.test/", "301"),
        ),
        records=both(own(11)),
        blocks=(Block("firewall.test www.firewall.test", UPGRADE, 80, own(11)),),
        services=(Service("filtered", own(11), 443),),
    ),
    Scenario(
        "port.https_closed",
        "unreachable.test",
        "unreachable",
        proofs=(("curl -sv https://unreachable.test/ 2>&1", "No route to host"),),
        records=both(UNREACHABLE),
        blocks=(),
        also=("port.http_closed",),
    ),
    Scenario(
        "port.https_closed",
        "one-down.test",
        DEAD,
        proofs=(("dig +short one-down.test", DEAD),),
        records=f"@ A {WEB}\n@ A {DEAD}\nwww A {WEB}",
        also=("port.http_closed",),
    ),
    Scenario(
        "port.http_closed",
        "no-http.test",
        severity="warning",
        proofs=(
            ("curl -s http://no-http.test/ || echo code $?", "code 7"),
            ("curl -s https://no-http.test/", "Welcome"),
        ),
        records=both(own(12)),
        address=own(12),
        http="",
    ),
    Scenario(
        "port.not_tls",
        "plain-443.test",
        "HTTP",
        proofs=(
            ("curl -s https://plain-443.test/ || echo code $?", "code 35"),
            ("curl -sI http://plain-443.test:443/", "200 OK"),
        ),
        records=both(own(13)),
        blocks=(
            Block("plain-443.test www.plain-443.test", UPGRADE, 80, own(13)),
            Block("plain-443.test www.plain-443.test", PROXY, 443, own(13), listen="default_server"),
        ),
        also=("port.https_closed",),
    ),
    Scenario(
        "port.not_tls",
        "ssh-443.test",
        "SSH",
        proofs=(("curl -s https://ssh-443.test/ || echo code $?", "code 35"),),
        records=both(own(14)),
        blocks=(Block("ssh-443.test www.ssh-443.test", UPGRADE, 80, own(14)),),
        services=(Service("banner", own(14), 443),),
        also=("port.https_closed",),
    ),
    Scenario(
        "port.tls_on_http",
        "tls-80.test",
        proofs=(("curl -s http://tls-80.test/", "plain HTTP request was sent to HTTPS port"),),
        records=both(own(15)),
        address=own(15),
        http="",
        more_blocks=(Block("tls-80.test www.tls-80.test", UPGRADE, 80, own(15), listen="ssl"),),
        also=("redirect.missing",),
    ),
)
