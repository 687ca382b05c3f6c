"""Every cap on what a remote side may cost, in one place. Seconds are wall clock, sizes are octets."""

SITE_SECONDS = 30.0
"""For all of one site; enforced from outside the socket calls, as a server that drips outlasts each of theirs."""
CONNECT_SECONDS = 5.0
"""For one TCP connection."""
TLS_SECONDS = 5.0
"""For one handshake."""
HEADERS_SECONDS = 8.0
"""From the request sent to the end of the response's head."""
ROW_SECONDS = 4.0
"""For the head of a later answer to requests sent at once, and for those before it; then it is asked for alone."""
BODY_SECONDS = 5.0
"""From the end of the response's head to that of its body, without what is waited for a turn."""
DNS_SECONDS = 2.0
"""For one datagram's answer."""
DNS_ATTEMPTS = 2
"""Datagrams sent for one question to one server."""
DNS_TOTAL_SECONDS = 6.0
"""For one question, TCP and retries included."""
DNS_ZONE_SECONDS = 10.0
"""For finding one zone's servers and their first answers, and as long again for a second look at them."""
OTHER_FAMILY_SECONDS = 2.5
"""Waited for A or AAAA once the other one has addresses: some servers never answer for AAAA. A lost datagram is asked
for again after 2 s."""
LOOK_AROUND_SECONDS = 5.0
"""For asking a host that serves an app for what such an app may have; what must be looked at again waits for it."""
MAIN_LOOKS_SECONDS = 10.0
"""Waited for the main looks before the files of a page are asked for."""
PATIENCE_SECONDS = 5.0
"""Waited at one address by a first or a second look for the other kind to end."""
BANNER_SECONDS = 3.0
"""Waited for what is no HTTP or no TLS."""
BANNER_BYTES = 256
"""Shown of it."""

HANDSHAKE_BYTES = 131_072
"""Read of one handshake of our own making, and kept of any to explain its failure; more than OpenSSL accepts."""
HANDSHAKE_READS = 256
"""Reads of one handshake of our own making: whoever drips octets makes each of them be read again."""
HANDSHAKE_PARTS = 256
"""Records, and messages, of one flight that are read; a server that means it needs fewer than ten of each."""

BODY_BYTES = 1_000_000
"""Read of one body."""
PASSED_OVER_BYTES = 65_536
"""Read of a body beyond what is kept, where another answer follows on its connection."""
BODY_EVENTS = 20_000
"""Pieces of one body that are parsed; chunks of one octet cost a thousand times their size."""
BODY_KEPT = 16_384
"""Octets of one body kept in the evidence."""
BODY_ALONE = 65_536
"""Octets of a body from which on few of one site are read at the same time."""
BODIES_AT_ONCE = 6
"""Bodies of one site, of those that are larger, read at the same time."""
HEADER_BYTES = 300_000
"""Of one response's head, and of its trailers."""
HEADER_LINES = 1_000
"""Lines of one head, or of a body's trailers; each costs its parser a thousand times its size."""
HEADER_SPACES = 4_096
"""White space in a row in one head; its parser takes the square of it."""
HEADERS_KEPT = 100
"""Headers of one response kept in the evidence."""
HEADERS_SIZE_KEPT = 16_384
"""Characters of one response's headers kept in the evidence."""
HEADER_VALUE_KEPT = 2_048
"""Characters of one header's value kept in the evidence."""
INFORMATIONAL_RESPONSES = 10
"""Responses read before the one that counts."""
REDIRECTS = 10
"""Redirects followed from one URL, each target resolved and vetted anew."""
CHALLENGE_BYTES = 4_096
"""Read of what stands in the place of an ACME challenge; a real one has fewer than 200."""
STYLESHEETS = 5
"""Stylesheets of one page that are read."""
ASSETS = 10
"""Other files of one page that are asked for."""
ASSETS_AT_ONCE = 4
"""Files of one page that are asked for at the same time."""
ASSET_BYTES = 2_048
"""Of the beginning of a script or image."""
ASSET_REDIRECTS = 3
"""Redirects followed from one file of a page."""

CERTIFICATES = 10
"""Certificates of one chain that are kept."""
CERTIFICATE_NAMES_KEPT = 1_000
"""Names of one certificate kept in the evidence."""
ISSUER_BYTES = 65_536
"""Of an issuer's certificate that a server did not send."""
ISSUERS_FETCHED = 2
"""Issuers of one chain, not sent by its server, that are fetched."""

ADDRESSES_PER_HOST = 16
"""Addresses of one host that are used."""
ADDRESSES_TRIED = 3
"""Addresses of a redirect's target that are tried before it counts as unreachable."""
CONNECTIONS_PER_SITE = 32
"""Connections open at once."""
DNS_OUTSTANDING = 64
"""Queries in flight at once."""
DNS_IGNORED = 1_000
"""Datagrams with an answer to something else, read before the one question counts as not answered."""
RECORD_BYTES = 4_096
"""Of one record's data that are read; longer data is shown as octets."""
RECORD_TEXT_KEPT = 512
"""Characters of one record that are kept."""
RECORDS_KEPT = 64
"""Records of one DNS answer that are kept; the true number stands beside them."""
CNAMES = 24
"""Aliases followed from one name."""
NAMESERVERS = 16
"""Addresses of one zone's servers that are asked."""
DELEGATION_STEPS = 4
"""Referrals followed downwards to one zone."""

SERVICE_SECONDS = 8.0
"""For one answer of a registry, an authority or a search: names, redirects and the second try included."""
SERVICE_ATTEMPTS = 2
"""Connections to one of them for one answer."""
SERVICE_REDIRECTS = 3
"""Redirects followed from one of them."""
RDAP_BYTES = 200_000
"""Of one answer about a domain."""
RDAP_DOMAINS = 5
"""Domains of one site that registries are asked about."""
ACME_BYTES = 65_536
"""Of one answer of an authority's ACME interface."""
TRANSPARENCY_BYTES = 4_000_000
"""Of one search's answer."""
TRANSPARENCY_ENTRIES = 20_000
"""Entries read of one search's answer; 4 MB of real certificates are fewer."""
TRANSPARENCY_NAMES = 10_000
"""Characters of one found certificate's names; one with more is passed over, as half a list compares with nothing."""
TRANSPARENCY_KEPT = 20
"""Certificates of one search that are kept."""
REVOCATION_CHECKED = 4
"""Certificates of one chain whose revocation is asked for; public chains have two or three."""
REVOCATION_LISTS = 2
"""Lists asked for of those that one certificate names."""
REVOCATION_BYTES = 5_000_000
"""Of one list; public authorities keep theirs far below by splitting them."""
