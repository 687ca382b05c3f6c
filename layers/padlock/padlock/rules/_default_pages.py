"""Welcome and parking pages of servers, panels and hosters, as data: what they are recognised by.

A title must be equal, or begin so where it ends in `*`; a text of the body counts only in a short page, because real
pages quote such texts.
"""

from collections.abc import Mapping

from padlock.evidence import Exchange

TITLES: Mapping[str, str] = {
    "Welcome to nginx!": "nginx's welcome page",
    "Welcome to nginx on *": "nginx's welcome page",
    "Test Page for the Nginx HTTP Server on *": "nginx's welcome page",
    "Welcome to OpenResty!": "OpenResty's welcome page",
    "Apache2 Ubuntu Default Page: It works": "Apache's welcome page",
    "Apache2 Debian Default Page: It works": "Apache's welcome page",
    "Apache HTTP Server Test Page powered by *": "Apache's welcome page",
    "Test Page for the Apache HTTP Server*": "Apache's welcome page",
    "Test Page for the HTTP Server on *": "Apache's welcome page",
    "HTTP Server Test Page powered by*": "Apache's welcome page",
    "Caddy works!": "Caddy's welcome page",
    "IIS Windows Server": "IIS's welcome page",
    "IIS Windows": "IIS's welcome page",
    "IIS7": "IIS's welcome page",
    "Apache Tomcat/*": "Tomcat's welcome page",
    "Welcome to XAMPP": "XAMPP's welcome page",
    "Web Server's Default Page": "Plesk's default page",
    "Domain Default page": "Plesk's default page",
    "Default Web Site Page": "cPanel's default page",
    "Site not found · GitHub Pages": "GitHub's page for a site that does not exist",
    "Microsoft Azure Web App - Error 404": "Azure's page for a site that does not exist",
}
TEXTS: Mapping[str, str] = {
    "<h1>It works!</h1>": "Apache's welcome page",
    "placeholder page installed by the Debian release of the lighttpd": "lighttpd's welcome page",
    "This is the default index page of your website": "the hosting panel's default page",
    "herokucdn.com/error-pages/no-such-app.html": "Heroku's page for an app that does not exist",
    "Fastly error: unknown domain": "Fastly's page for a domain that it does not know",
    "This domain is parked free, courtesy of GoDaddy": "a parking page",
    ".sedoparking.com/": "a parking page",
    ".parkingcrew.net/": "a parking page",
    ".parklogic.com/": "a parking page",
}
_BEGINNINGS = {title.removesuffix("*"): name for title, name in TITLES.items() if title.endswith("*")}
_SHORT = 4_096
"""Octets of a page that is recognised by a text of its body."""


def default_page(exchange: Exchange) -> str:
    """Return which welcome or parking page an answer is; empty where it is none."""
    title = " ".join(exchange.title.split())
    if title in TITLES:
        return TITLES[title]
    for beginning, name in _BEGINNINGS.items():
        if title.startswith(beginning):
            return name
    if exchange.body_size > _SHORT:
        return ""
    for text, name in TEXTS.items():
        if text in exchange.body:
            return name
    return ""
