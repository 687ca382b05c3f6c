"""Every cap on what a remote side may cost, in one place. Seconds are wall clock, sizes are octets."""

CONNECT_SECONDS = 5.0
TLS_SECONDS = 5.0
HEADERS_SECONDS = 8.0
"""From the request sent to the end of the response's head."""
BODY_SECONDS = 5.0
DNS_SECONDS = 2.0
"""For one datagram's answer."""
DNS_ATTEMPTS = 2
DNS_TOTAL_SECONDS = 6.0
"""For one question, TCP and retries included."""

BODY_BYTES = 1_000_000
"""Read of one body."""
BODY_KEPT = 16_384
"""Kept of one body in the evidence."""
HEADER_BYTES = 300_000
HEADERS_KEPT = 100
HEADER_VALUE_KEPT = 2_048
INFORMATIONAL_RESPONSES = 10
REDIRECTS = 10
CERTIFICATES = 10
"""Kept of one chain."""
CERTIFICATE_NAMES_KEPT = 1_000
ADDRESSES_PER_HOST = 16
"""Used of one host's addresses."""
RECORDS_KEPT = 64
"""Of one DNS answer; the true number is kept beside them."""
CNAMES = 24
"""Followed from one name."""
DNS_ZONE_SECONDS = 10.0
"""For finding one zone's servers and their first answers."""
NAMESERVERS = 16
"""Addresses of one zone's servers that are asked."""
BANNER_BYTES = 256
BANNER_SECONDS = 3.0
CHALLENGE_BYTES = 4_096
"""Read of what stands in the place of an ACME challenge; a real one has fewer than 200."""
ISSUER_BYTES = 65_536
"""Of an issuer's certificate that a server did not send."""
DNS_OUTSTANDING = 64
"""Queries in flight at once."""
CONNECTIONS_PER_SITE = 32
"""Open at once."""
