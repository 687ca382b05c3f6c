"""One alert as it is sent, and where its reader can look further."""

import msgspec


class Message(msgspec.Struct, frozen=True):
    """One alert in each of its forms; of an alert that only machines are told of, all but the event are empty."""

    subject: str
    """1 to 99 printable ASCII characters on one line."""
    body: str
    """The mail: plain text, lines of about 78 characters."""
    data: str
    """JSON for machines."""
    chat: str
    """JSON: a custom notification of Amazon Q Developer in chat applications."""
    event: str
    """JSON: the detail of the event `Padlock Site Status Changed`."""
    severity: str


class Further(msgspec.Struct, frozen=True):
    """Where the reader of a message can look further."""

    table: str
    """The results table."""
    function: str = ""
    """The function that checks a site as it is declared; empty where there is none to invoke."""
    sites_table: str = ""
    """The table of declarations; empty: that of the stack `padlock`."""
    dashboard: str = ""
    """URL; empty where there is none."""
    place: str = ""
    """Where the sites were seen from, such as `eu-central-1`."""
