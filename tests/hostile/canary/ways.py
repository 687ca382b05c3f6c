"""The ways by which a site may try to have a refused address touched, and where each of them would lead.

Every way has a canary of its own, so that a touch names it. The name `<way>.in.test` has that address, and beside it
one of each kind that nobody can allow.
"""

from collections.abc import Mapping

LEADS: Mapping[str, str] = {
    "address": "the site's own A and AAAA records",
    "alias": "a chain of CNAMEs",
    "digits": "a CNAME to a name made of digits, 169.254.169.254",
    "server": "the address of a zone's name server",
    "glue": "glue of a forgotten name server",
    "rebinding": "another answer for the site's name, once the first one was vetted",
    "hop-rebinding": "another answer for a redirect's target, from one hop to the next",
    "location": "a redirect of plain HTTP",
    "location-tls": "a redirect over TLS",
    "health": "a redirect of the health path",
    "challenge": "a redirect of an ACME challenge",
    "asset": "a host of the page's own files",
    "asset-hop": "a redirect of one of the page's files",
    "crl": "the certificate's revocation list",
    "crl-hop": "a redirect of the certificate's revocation list",
    "aia": "the issuer's certificate, where the leaf says it is",
    "registry": "the registry's RDAP service itself",
    "registry-hop": "a redirect of the registry's RDAP service",
    "directory": "the ACME directory of the certificate's authority",
    "directory-hop": "a redirect of the ACME directory",
    "renewal": "renewal information, where the ACME directory says it is",
    "log-search": "the search of transparency logs that the operator named",
    "ports": "declared ports, among them the runtime API's",
}
"""Way → what it is. Each touches its canary once the site and the operator allow every network."""
NOWHERE: Mapping[str, str] = {
    "undeclared": "a network that the operator allows and the site does not declare",
    "spelling": "a bare address in a Location, in every spelling",
    "port": "a port in a Location",
    "health-path": "a health path that begins with two slashes",
    "refresh": "Refresh, as a header and in the page",
    "alt-svc": "Alt-Svc",
    "link": "Link headers and the page's hints",
    "service-binding": "the targets and hints of HTTPS records",
    "extra-record": "records beside the answer that was asked for",
    "mail": "MX, TXT and SRV records",
    "declared-address": "addresses that the site declares",
    "page": "what a page refers to on other hosts",
    "base": "a page's base",
    "stylesheet": "what a stylesheet refers to",
    "ocsp": "the certificate's OCSP responder",
    "bare-crl": "a revocation list at a bare address",
    "bare-aia": "an issuer's certificate at a bare address",
    "referral": "the links and notices of an RDAP answer",
    "directory-page": "the other URLs of an ACME directory",
}
"""Way → what it is. None of these is ever followed, whatever is allowed."""
_NUMBERS = {way: number for number, way in enumerate([*LEADS, *NOWHERE], 1)}
NEVER_4 = ("169.254.169.254", "169.254.170.2", "168.63.129.16", "0.0.0.0", "100.100.100.200")  # noqa: S104
NEVER_6 = (
    *("fd00:ec2::254", "fd20:ce::254", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"),
    *("2002:a9fe:a9fe::1", "2001:0:a9fe:a9fe::1", "fe80::1", "::a9fe:a9fe", "::ffff:0:a9fe:a9fe", "::"),
)
"""What nobody can allow."""
RUNTIME_API = "127.0.0.1"
"""On port 9001 of a Lambda function."""
PRIVATE_4 = ("10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", RUNTIME_API)
PRIVATE_6 = ("::1", "fd12::1")
"""What the site and the operator together can."""


def own(way: str) -> str:
    """Return the address of a way's canary."""
    return f"10.66.{_NUMBERS[way]}.1"


def way_of(address: str) -> str:
    """Return the way whose canary has an address; the address itself where it is no way's own."""
    return next((way for way in _NUMBERS if own(way) == address), address)


def inside(way: str) -> str:
    """Return the name that has a way's canary, and one of each kind that nobody can allow."""
    return f"{way}.in.test"


def inside_records() -> list[str]:
    """Return the records of all these names, as lines of the zone `in.test`."""
    # Answers come in any order, and a way must not lead to another's address: the private ones are had by one alone.
    more = {"address": (*PRIVATE_4, *PRIVATE_6), "ports": (RUNTIME_API,)}
    addresses = {way: (own(way), *NEVER_4, *NEVER_6, *more.get(way, ())) for way in _NUMBERS}
    return [f"{way} {'AAAA' if ':' in text else 'A'} {text}" for way in _NUMBERS for text in addresses[way]]


def spellings(public: str) -> list[str]:
    """Return Location headers that mean a bare address, or might; `public` is a name with a public address."""
    a, b, c, d = map(int, own("spelling").split("."))
    dotted, whole = own("spelling"), (a << 24) + (b << 16) + (c << 8) + d
    mapped = f"{a:02x}{b:02x}:{c:02x}{d:02x}"
    return [
        *(f"http://{dotted}/", f"//{dotted}/", f"///{dotted}/", f"http:{dotted}/", f"http:/{dotted}/"),
        *(f"http://{dotted}./", f"http://{dotted}:80/", f"http://{dotted}:9001/", f"http://{dotted}:22/"),
        *(f"http://{whole}/", f"http://{whole:#x}/", f"http://0{whole:o}/", f"http://{a}.{b}.{c * 256 + d}/"),
        *(f"http://0{a:o}.0{b:o}.0{c:o}.0{d:o}/", f"http://{a:#x}.{b:#x}.{c:#x}.{d:#x}/"),
        *(f"http://{a + 256}.{b}.{c}.{d}/", f"http://00{a}.0{b}.{c}.{d}/"),
        *(f"http://[::ffff:{dotted}]/", f"http://[::ffff:{mapped}]/", f"http://[::{mapped}]/"),
        *(f"http://[64:ff9b::{mapped}]/", f"http://[2002:{mapped}::1]/", f"http://[::ffff:0:{mapped}]/"),
        *("http://[fe80::1%25cable]/", "http://[fe80::1%cable]/", "http://[fd00:ec2::254]/", "http://[::1]:9001/"),
        *(f"http://user@{dotted}/", f"http://{public}@{dotted}/", f"http://{public}:80@{dotted}:80/"),
        *(f"http://{public}#@{dotted}/", f"http://{public}?@{dotted}/", f"http://{public}\\@{dotted}/"),
        *(f"http://{dotted}\\@{public}/", f"http://{dotted}#@{public}/", f"http://{dotted}:80\\@{public}/"),
        *(
            f"http:\\\\{dotted}\\",
            f"\\\\{dotted}\\x",
            f"\\/{dotted}/",
            f"/\\{dotted}/",
            f"http://{public}\\.{dotted}/",
        ),
        *(f"http://{dotted}%2f@{public}/", f"http://{dotted}%2e/", f"http://%31%30.{b}.{c}.{d}/"),
        *(f"http://{dotted}\t/", f"ht\ttp://{dotted}/", f" http://{dotted}/ ", f"http://{dotted}%00.{public}/"),
        *(f"http://\uff11\uff10.{b}.{c}.{d}/", f"http://①⓪.{b}.{c}.{d}/", f"http://{a}。{b}。{c}。{d}/"),
        *("http://localhost/", "http://LOCALHOST.:9001/", "http://metadata.google.internal/", "http://a.local/"),
        *(f"https://{dotted}/", f"HTTPS://{dotted}", f"https://{whole}/", "https://169.254.169.254/latest/"),
        *("http://169.254.169.254/latest/", "http://169.254.170.2/v2/", "http://127.0.0.1:9001/2018-06-01/"),
        *(
            f"ftp://{dotted}/",
            f"gopher://{dotted}:80/_x",
            f"dict://{dotted}:22/",
            f"ldap://{dotted}/",
            f"ws://{dotted}/",
        ),
        *("file:///etc/passwd", f"view-source:http://{dotted}/", f"http://{inside('port')}:22/"),
        *(f"http://{inside('port')}:9001/", f"https://{inside('port')}:53/", f"http://{inside('port')}:443/"),
    ]
