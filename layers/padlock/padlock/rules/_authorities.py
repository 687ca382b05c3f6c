"""Certificate authorities by how certificates of theirs come about, as data; names as `organisation` gives them.

Taken from the authorities' own documentation and from the organisations of their intermediates in the Common CA
Database (ccadb.org), November 2026.
"""

AUTOMATED = frozenset({"Let's Encrypt", "Google Trust Services"})
"""They issue over ACME and nothing else, so that a certificate of theirs is renewed by a program."""
WITH_RENEWAL_INFORMATION = AUTOMATED | {"ZeroSSL"}
"""Their ACME directories offer renewal information; ZeroSSL also sells certificates by hand."""
LONGEST_AUTOMATED_DAYS = 100
"""No certificate over ACME of these lives longer; one that does was made for somebody by hand."""
WITHOUT_CHALLENGE = frozenset(
    {
        "Actalis S.p.A.",
        "Amazon",
        "Apple",
        "Asseco Data Systems S.A.",
        "CLOUDFLARE, INC.",
        "COMODO CA Limited",
        "Certainly",
        "D-Trust",
        "DigiCert",
        "Entrust",
        "GEANT Vereniging",
        "GlobalSign nv-sa",
        "GoDaddy.com",
        "Hellenic Academic and Research Institutions CA",
        "IdenTrust",
        "Internet2",
        "Microsoft Corporation",
        "QuoVadis Limited",
        "SSL Corp",
        "SSL Corporation",
        "Sectigo Limited",
        "Starfield Technologies",
        "SwissSign AG",
        "TrustAsia Technologies",
    }
)
"""They sell certificates, or manage them for a cloud: most are renewed without a request to port 80."""
EDGES = frozenset(
    {"cf-ray", "x-amz-cf-id", "x-azure-ref", "x-fastly-request-id", "x-github-request-id", "x-nf-request-id"}
    | {"x-vercel-id", "fly-request-id"}
)
"""Headers of networks that answer in front of a site and renew its certificate themselves."""
