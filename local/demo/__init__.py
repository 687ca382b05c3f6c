"""A small hosting company on loopback: name server, certificate authority, and sites of which most are broken."""
