"""What a dashboard asks of its widget's function: the event, which is input like any other, as one value.

CloudWatch sends the widget's parameters, or the text of the `<cwdb-action>` that was clicked, with what it knows of
the widget beside them, and `{"describe": true}` where somebody edits the widget:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/add_custom_widget_dashboard_about.html
"""

from typing import Annotated, Any, Literal

import msgspec

from padlock.site import key_of

LONGEST = 30 * 24
"""Hours for which a click acknowledges at most."""
USAGE = (
    'use {}, {"describe": true}, {"action": "show", "site": …}, {"action": "check", "site": …} or '
    '{"action": "acknowledge", "site": …, "code": …, "subject": …, "hours": 24}'
)

type Text = Annotated[str, msgspec.Meta(max_length=2048)]


class Context(msgspec.Struct, frozen=True):
    """What CloudWatch says of the widget, as far as it matters here."""

    theme: Any = "light"


class Request(msgspec.Struct, frozen=True):
    """One event; keys that nobody knows are CloudWatch's own and pass."""

    describe: bool = False
    action: Literal["", "show", "check", "acknowledge"] = ""
    site: Text = ""
    code: Text = ""
    subject: Text = ""
    hours: Annotated[int, msgspec.Meta(ge=1, le=LONGEST)] = 24
    widgetContext: Context = Context()  # noqa: N815 — CloudWatch's spelling

    @property
    def key(self) -> str:
        """The key of the site's items; no partition of Padlock's own can be meant."""
        return key_of(self.site)

    @property
    def theme(self) -> Literal["light", "dark"]:
        """The colours of the dashboard."""
        return "dark" if self.widgetContext.theme == "dark" else "light"


def read(event: Any) -> Request:
    """Return what an event asks for; ValueError says what is wrong with it."""
    try:
        request = msgspec.convert(event, Request)
    except msgspec.ValidationError as error:
        raise ValueError(f"the event cannot be understood: {error}; {USAGE}") from None
    if request.action and not request.site:
        raise ValueError(f"the event names no site; {USAGE}")
    if request.action == "acknowledge" and not request.code:
        raise ValueError(f"the event names no code; {USAGE}")
    return request
