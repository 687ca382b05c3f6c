"""The corpus, after badssl.com's list: every kind of server there that can be had here, and some that it lacks.

Not here: SSL 3.0 and RC4 in OpenSSL (Debian's is built without them; RC4 and 3DES come from GnuTLS), Certificate
Transparency, pinning and blocked interception (Chromium asks for them only below roots of its own store), and
badssl.com's pages of user interface.
"""

from cryptography.x509.oid import NameOID

from tests.conformance.authority import CLIENT_ONLY, Leaf
from tests.conformance.case import CONTENT, DOMAIN, MODERN, Case

_RSA = Leaf(key="rsa2048")
_MISMATCH = ("certificate.name_mismatch", "server.default_site")
"""The second follows from the first, where each case has an address of its own."""
_HTTP_CLOSED = "port.http_closed"
_NO_LISTS = "asks no distribution point unless it is told to"
_COMMON_NAME = "falls back to the common name where there is no dNSName, which browsers do not (RFC 9525)"
_ANY_USAGE = "takes a key usage that allows agreement or encipherment, and never asks whether the key may sign"
_ANY_PURPOSE = "does not count anyExtendedKeyUsage for servers, which Chromium does"
_DOT = "compares the trailing dot, which browsers leave out"
_OFFERS_MORE = "offers what browsers do not"
_HTTP2 = "does not hold HTTP/2 to the suites that RFC 9113 leaves it"
_NO_PAGE = "ends with the handshake, and asks for no page"
_ODD = "finds keys odd that are longer than usual"
_PART = "takes a wildcard that is part of a label, as RFC 6125 let it"
_LEAF_ONLY = "judges the key and the signature of the leaf only"
_MIDDLING = "grades it, and does not refuse"
_SORTS = "sorts a chain by itself; strict and old clients do not (RFC 5246 section 7.4.2)"
_1024 = "refuses only what is shorter than 1024 bits; public authorities may not certify less than 2048"
_FAILED, _WEAK, _UNTRUSTED = "tls.handshake_failed", "certificate.weak", "certificate.untrusted"


def _certificates() -> list[Case]:
    def case(name: str, leaf: Leaf, *codes: str, subdomain: str = "", **reasons: str) -> Case:
        return Case(name, "certificate", leaf, codes=codes, subdomain=subdomain, reasons=reasons)

    def usage(name: str, use: str, key: str) -> Case:
        return case(
            name, Leaf(key=key, uses=(use,)), _UNTRUSTED, curl=_ANY_USAGE, openssl=_ANY_USAGE, testssl=_ANY_USAGE
        )

    bare = ((NameOID.ORGANIZATION_NAME, "Corpus"),)
    return [
        case("expired", Leaf(age=100, left=-10), "certificate.expired"),
        case("not-yet-valid", Leaf(age=-2, left=88), "certificate.not_yet_valid"),
        case("wrong.host", Leaf(names=(DOMAIN,)), *_MISMATCH),
        case("self-signed", Leaf(issuer="self", sent=("leaf",)), _UNTRUSTED),
        case("untrusted-root", Leaf(issuer="unknown", sent=("leaf", "issuer", "unknown-root")), _UNTRUSTED),
        case("unknown-issuer", Leaf(issuer="unknown"), _UNTRUSTED),
        case(
            *("revoked", Leaf(revoked=True), "certificate.revoked"),
            chromium="asks no distribution point: it has a list of its own of what public authorities revoked",
            curl=_NO_LISTS,
            openssl=_NO_LISTS,
            testssl=_NO_LISTS,
        ),
        case("no-san", Leaf(names=()), *_MISMATCH, curl=_COMMON_NAME, openssl=_COMMON_NAME),
        case("no-common-name", Leaf(subject=bare)),
        case("no-subject", Leaf(subject=())),
        case("ip-san", Leaf(names=(), addresses=("192.0.2.1",)), *_MISMATCH, openssl=_COMMON_NAME),
        case("wildcard", Leaf(names=(f"*.{DOMAIN}",))),
        case("wildcard-two-labels", Leaf(names=(f"*.{DOMAIN}",)), *_MISMATCH, subdomain="two.labels"),
        case(
            *("wildcard-partial", Leaf(names=(f"wild*.{DOMAIN}",)), *_MISMATCH),
            openssl=_PART,
            testssl=_PART,
        ),
        case("upper-case-name", Leaf(names=(f"Upper-Case-Name.{DOMAIN.upper()}",))),
        case("absolute-name", Leaf(names=("{host}.",)), openssl=_DOT, testssl=_DOT),
        case("idn", Leaf(), subdomain="xn--bcher-kva"),
        case("1000-sans", Leaf(many=999)),
        Case(
            *("10000-sans", "certificate", Leaf(many=9999)),
            codes=("certificate.too_large",),
            unasked=("testssl",),
        ),
        case("client-purpose", CLIENT_ONLY, _UNTRUSTED),
        case("no-purpose", Leaf(purposes=())),
        usage("usage-encipherment", "key_encipherment", "rsa2048"),
        usage("usage-agreement", "key_agreement", "ecc256"),
        case("usage-signing", Leaf(uses=("digital_signature",))),
        case("ca-leaf", Leaf(is_ca=True)),
        case("broken-signature", Leaf(broken_signature=True), _UNTRUSTED),
        case(
            "six-days", Leaf(age=1, left=5), testssl="counts days: less than 30 is bad to it, whatever the lifetime"
        ),
        case("long-lived", Leaf(age=100, left=3000)),
    ]


def _chains() -> list[Case]:
    def case(name: str, leaf: Leaf, *codes: str, **reasons: str) -> Case:
        return Case(name, "chain", leaf, codes=codes, reasons=reasons)

    return [
        case(
            *("incomplete-chain", Leaf(sent=("leaf",)), "certificate.incomplete_chain"),
            chromium="fetches the intermediate that the certificate names; phones, curl and Python do not",
        ),
        case(
            "reversed-chain",
            Leaf(sent=("leaf", "root", "issuer")),
            "certificate.chain_order",
            chromium=_SORTS,
        ),
        case(
            "unrelated-extra",
            Leaf(sent=("leaf", "other", "issuer")),
            "certificate.chain_order",
            chromium=_SORTS,
        ),
        case("root-sent", Leaf(sent=("leaf", "issuer", "root"))),
        case("expired-cross-sign", Leaf(sent=("leaf", "issuer", "cross"))),
        case("expired-intermediate", Leaf(issuer="expired"), "certificate.expired"),
        case("sha1-intermediate", Leaf(issuer="sha1"), _WEAK, testssl=_LEAF_ONLY),
        case("rsa1024-intermediate", Leaf(issuer="rsa1024"), _WEAK, chromium=_1024, testssl=_LEAF_ONLY),
        case("name-constraints", Leaf(issuer="constrained"), _UNTRUSTED),
        case("path-too-long", Leaf(issuer="too-deep", sent=("leaf", "issuer", "last")), _UNTRUSTED),
        case("issued-by-no-authority", Leaf(issuer="not-ca"), _UNTRUSTED),
        case("issuer-for-clients", Leaf(issuer="for-clients"), _UNTRUSTED),
        case("issuer-for-all", Leaf(issuer="for-all"), curl=_ANY_PURPOSE, openssl=_ANY_PURPOSE, testssl=_ANY_PURPOSE),
    ]


def _keys() -> list[Case]:
    def case(name: str, leaf: Leaf, *codes: str, **reasons: str) -> Case:
        return Case(name, "key", leaf, codes=codes, reasons=reasons)

    def edwards(kind: str) -> Case:
        # testssl.sh answers now this way and now that.
        only = {"curl": _OFFERS_MORE, "openssl": _OFFERS_MORE}
        return Case(kind, "key", Leaf(key=kind), codes=(_FAILED,), unasked=("testssl",), reasons=only)

    return [
        case("sha256", _RSA),
        case("sha384", Leaf(hash="sha384")),
        case("sha512", Leaf(hash="sha512")),
        case("sha1", Leaf(hash="sha1"), _WEAK, testssl=_MIDDLING),
        case("md5", Leaf(hash="md5", issuer="rsa"), _WEAK),
        case("rsa1024", Leaf(key="rsa1024"), _WEAK, chromium=_1024, testssl=_MIDDLING),
        case("rsa4096", Leaf(key="rsa4096")),
        case("rsa8192", Leaf(key="rsa8192"), testssl=_ODD),
        case("rsa16384", Leaf(key="rsa16384"), testssl=_ODD),
        case("ecc384", Leaf(key="ecc384")),
        case("ecc521", Leaf(key="ecc521"), _FAILED, curl=_OFFERS_MORE, openssl=_OFFERS_MORE, testssl=_OFFERS_MORE),
        case("secp256k1", Leaf(key="secp256k1"), _FAILED, testssl=_OFFERS_MORE),
        edwards("ed25519"),
        edwards("ed448"),
    ]


def _protocols() -> list[Case]:
    def case(name: str, tls: str, *codes: str, http2: bool = True, **reasons: str) -> Case:
        return Case(name, "protocol", _RSA, tls=tls, http2=http2, codes=codes, reasons=reasons)

    old = "ssl_ciphers DEFAULT@SECLEVEL=0; ssl_protocols"
    return [
        case("tls-v1-0", f"{old} TLSv1;", "tls.obsolete_protocol"),
        Case(
            *("tls-v1-1", "protocol", _RSA),
            server="openssl",
            options="-tls1_1 -cipher DEFAULT@SECLEVEL=0",
            http="",
            codes=("tls.obsolete_protocol", _HTTP_CLOSED),
            reasons={"testssl": _MIDDLING},
        ),
        case("tls-v1-2", "ssl_protocols TLSv1.2;"),
        case("tls-v1-3", "ssl_protocols TLSv1.3;"),
        case(
            *("tls-v1-0-beside", f"{old} TLSv1 TLSv1.1 TLSv1.2 TLSv1.3;", "tls.obsolete_protocol"),
            chromium="takes TLS 1.3 and never sees what else is offered",
        ),
        case("http1-only", MODERN, http2=False),
    ]


def _ciphers() -> list[Case]:
    def case(name: str, ciphers: str, *codes: str, extra: str = "", http2: bool = True, **reasons: str) -> Case:
        tls = f"ssl_protocols TLSv1.2; ssl_ciphers {ciphers}@SECLEVEL=0; {extra}"
        return Case(name, "cipher", _RSA, tls=tls, http2=http2, codes=codes, reasons=reasons)

    def gnutls(name: str, cipher: str, **reasons: str) -> Case:
        priority = f"NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+{cipher}"
        codes = (_FAILED, _HTTP_CLOSED)
        return Case(name, "cipher", _RSA, server="gnutls", options=priority, http="", codes=codes, reasons=reasons)

    def for_programs(name: str, ciphers: str, extra: str = "", curl: str = _OFFERS_MORE) -> Case:
        openssl = _OFFERS_MORE if curl == _OFFERS_MORE else _NO_PAGE
        return case(name, ciphers, _FAILED, extra=extra, curl=curl, openssl=openssl)

    gcm, dhe = "ECDHE-RSA-AES128-GCM-SHA256", "DHE-RSA-AES128-GCM-SHA256"
    prefers = "ssl_prefer_server_ciphers on;"
    return [
        case("mozilla-intermediate", f"{gcm}:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305"),
        case("cbc", "ECDHE-RSA-AES128-SHA:ECDHE-RSA-AES256-SHA", http2=False),
        for_programs("cbc-http2", "ECDHE-RSA-AES128-SHA:ECDHE-RSA-AES256-SHA", curl=_HTTP2),
        for_programs("cbc-preferred-http2", f"ECDHE-RSA-AES256-SHA:{gcm}", prefers, _HTTP2),
        for_programs("cbc-sha256", "ECDHE-RSA-AES128-SHA256:ECDHE-RSA-AES256-SHA384"),
        case("cbc-sha256-preferred", f"ECDHE-RSA-AES256-SHA384:{gcm}", extra=prefers),
        case("static-rsa", "AES128-GCM-SHA256:AES256-SHA", http2=False),
        for_programs("static-rsa-http2", "AES128-GCM-SHA256:AES256-SHA", curl=_HTTP2),
        case("null", "NULL-SHA256:ECDHE-RSA-NULL-SHA", _FAILED),
        case("camellia", "ECDHE-RSA-CAMELLIA256-SHA384", _FAILED),
        case("ccm", "AES128-CCM", _FAILED),
        case("dh1024", dhe, _FAILED, extra="ssl_dhparam parameters/dh1024.pem;"),
        for_programs("dh2048", dhe, "ssl_dhparam parameters/dh2048.pem;"),
        case("dh-preferred", f"{dhe}:{gcm}", extra=f"{prefers} ssl_dhparam parameters/dh2048.pem;"),
        for_programs("p521-group", gcm, "ssl_ecdh_curve secp521r1;"),
        case("p384-group", gcm, extra="ssl_ecdh_curve secp384r1;"),
        gnutls("rc4", "ARCFOUR-128"),
        gnutls("3des", "3DES-CBC"),
    ]


def _clients() -> list[Case]:
    tls = f"{MODERN} ssl_client_certificate root.pem;"
    # Under TLS 1.3 the alert comes when the client is done, and s_client may have left by then.
    strict = "-Verify 1 -verify_return_error -tls1_2"
    return [
        Case(
            *("client", "client"),
            tls=f"{tls} ssl_verify_client on;",
            reasons={"openssl": _NO_PAGE, "testssl": _NO_PAGE},
        ),
        Case("client-optional", "client", tls=f"{tls} ssl_verify_client optional;"),
        Case(
            *("client-strict", "client"),
            server="openssl",
            options=strict,
            http="",
            codes=(_HTTP_CLOSED,),
            reasons={"testssl": "looks at the versions that are offered, and not at what becomes of a handshake"},
        ),
    ]


def _contents() -> list[Case]:
    def case(name: str, page: str, *codes: str, head: str = "") -> Case:
        return Case(name, "content", head=head, page=page, codes=codes)

    icon = f"<link rel=icon href={CONTENT}/favicon.ico>"
    script, image = f"<script src={CONTENT}/mixed.js></script>", f"<img src={CONTENT}/mixed.png>"
    return [
        case("mixed", image, "content.mixed_passive"),
        case("mixed-script", script, "content.mixed_active"),
        case("very", script + image, "content.mixed_active", "content.mixed_passive"),
        case("mixed-favicon", "", "content.mixed_passive", head=icon),
        case("mixed-favicon-in-body", icon),
        case("mixed-form", f"<form action={CONTENT}/><input name=q></form>", "content.mixed_active"),
        case("links-only", f"<a href={CONTENT}/>x</a>"),
    ]


def _upgrades() -> list[Case]:
    year = "max-age=31536000"
    image = f"<img src={CONTENT}/mixed.png>"
    upgrade = {"Content-Security-Policy": "upgrade-insecure-requests"}
    preloaded = {"Strict-Transport-Security": f"{year}; includeSubDomains; preload"}
    return [
        Case("hsts", "upgrade", headers={"Strict-Transport-Security": year}, start="http"),
        Case("upgrade", "upgrade", headers=upgrade, page=image),
        Case("preloaded-hsts", "upgrade", fqdn="preloaded-hsts.badssl.com", headers=preloaded, start="http"),
        # Every .dev is on Chromium's list, which it passes over once its build is older than ten weeks.
        Case(
            *("preloaded-without-https", "upgrade"),
            fqdn="without-https.badssl.dev",
            https=False,
            http="root {root};",
            start="http",
            codes=("port.https_closed", "redirect.missing"),
            reasons={"curl": "has no list of hosts that are HTTPS only, and takes the plain page"},
        ),
        Case("to-https", "upgrade", start="http"),
    ]


def _plain() -> list[Case]:
    login = "<form><input type=password name=p></form>"
    return [
        Case("http", "http", https=False, http="root {root};", codes=("port.https_closed", "redirect.missing")),
        Case(
            *("http-password", "http"),
            https=False,
            http="root {root};",
            page=login,
            codes=("port.https_closed", "redirect.missing"),
        ),
        Case("http-and-https", "http", http="root {root};", codes=("redirect.missing",), start="http"),
    ]


CASES: tuple[Case, ...] = (
    Case("healthy", "certificate"),
    *_certificates(),
    *_chains(),
    *_keys(),
    *_protocols(),
    *_ciphers(),
    *_clients(),
    *_contents(),
    *_upgrades(),
    *_plain(),
)
