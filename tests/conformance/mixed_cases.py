"""Elements and pages that name an insecure URL, with the reason where Chromium and Padlock differ on purpose."""

import msgspec

INSECURE = "m.example.net"
"""Where the insecure URLs lead: nowhere."""
URL = f"http://{INSECURE}/x"
_UPGRADE, _BLOCK = "upgrade-insecure-requests", "block-all-mixed-content"


class MixedCase(msgspec.Struct, frozen=True):
    """One page that names an insecure URL."""

    name: str
    html: str
    policy: str = ""
    """Its Content-Security-Policy header."""
    sheet: str = ""
    """Its stylesheet, which stands beside it as sheet.css."""
    reason: str = ""
    """Why Chromium and Padlock differ; empty: they agree."""


def _case(name: str, html: str, reason: str = "", policy: str = "", sheet: str = "") -> MixedCase:
    return MixedCase(name, html.replace("{}", URL), policy, sheet.replace("{}", URL), reason)


_API = f"http://{INSECURE}/api"
_GIF = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="
_ICON = "Chromium blocks it; the catalogue counts every image as passive, whose impact tells it"
_AFTER_LOAD = "it fires only where a file loads, or does not; which it is only a browser can tell"
_RUN = "what a script makes of it while it runs only a browser can tell"
_OTHER_PROCESS = "a sandboxed frame is a process of its own, whose requests the comparison does not see"
_SCANNED = "Chromium looks ahead for what it may need and asks for it, but uses it nowhere: the page lacks nothing"
_MAYBE = "which device, which media, how far a visitor scrolls and what is played only a browser can tell"
_LINK = "<link rel=stylesheet href=sheet.css><p class=a>x</p>"
_PASSIVE_SRCSET = "Chromium blocks it; the catalogue counts every image as passive, whose impact tells it"

CASES: tuple[MixedCase, ...] = (
    _case("script", "<script src={}></script>"),
    _case("module script", "<script type=module src={}></script>"),
    _case("script in SVG", "<svg><script href={}></script></svg>"),
    _case("stylesheet", "<link rel=stylesheet href={}>"),
    _case("alternate stylesheet", '<link rel="alternate stylesheet" title=x href={}>'),
    _case("@import", "<style>@import '{}';</style>"),
    _case("font", "<style>@font-face { font-family: A; src: url({}) } p { font-family: A }</style><p>x</p>"),
    _case("manifest", "<link rel=manifest href={}>", "a headless browser fetches it late or never"),
    _case("preloaded font", "<link rel=preload as=font crossorigin href={}>"),
    _case("modulepreload", "<link rel=modulepreload href={}>"),
    _case("iframe", "<iframe src={}></iframe>"),
    _case("object", "<object data={}></object>"),
    _case("embed", "<embed src={}>"),
    _case("form action", "<form action={}></form>"),
    _case("fetch", "<script>fetch('{}').catch(() => 0)</script>"),
    _case("XMLHttpRequest", "<script>var r = new XMLHttpRequest; r.open('GET', '{}'); r.send()</script>"),
    _case("EventSource", "<script>new EventSource('{}')</script>"),
    _case("sendBeacon", "<script>navigator.sendBeacon('{}')</script>"),
    _case("import()", "<script>import('{}').catch(() => 0)</script>"),
    _case("img", "<img src={}>"),
    _case("img srcset", '<img srcset="{} 1x">', _PASSIVE_SRCSET),
    _case("picture", "<picture><source srcset={}><img></picture>", _PASSIVE_SRCSET),
    _case("preloaded image", "<link rel=preload as=image href={}>"),
    _case("audio", "<audio preload=auto src={}></audio>"),
    _case("video", "<video preload=auto src={}></video>"),
    _case("video source", "<video preload=auto><source src={}></video>"),
    _case("poster", "<video poster={}></video>"),
    _case("input image", "<input type=image src={}>"),
    _case("image in SVG", "<svg><image href={} width=9 height=9></image></svg>"),
    _case("background", '<b style="background: url({})">x</b>'),
    _case("image-set", "<b style=\"background: image-set('{}' 1x)\">x</b>"),
    _case("new Image", "<script>new Image().src = '{}'</script>"),
    _case("prefetch", "<link rel=prefetch href={}>", "a prefetch that is blocked changes nothing on the page"),
    _case("link", "<a href={}>x</a>"),
    _case("icon", "<link rel=icon href={}>", _ICON),
    _case("shortcut icon", "<link rel='shortcut icon' href={}>", _ICON),
    _case("icon in the body", "<p>x<link rel=icon href={}>"),
    _case("icon with media", "<link rel=icon media='(prefers-color-scheme: dark)' href={}>", _MAYBE),
    _case("touch icon", "<link rel=apple-touch-icon href={}><link rel=mask-icon href={}>"),
    _case("disabled stylesheet", "<link rel=stylesheet disabled href={}>"),
    _case("stylesheet of another type", "<link rel=stylesheet type=text/less href={}>"),
    _case("stylesheet's type in upper case", "<link rel=stylesheet type='TEXT/CSS; charset=utf-8' href={}>"),
    _case("stylesheet for print", "<link rel=stylesheet media=print href={}>"),
    _case("style of another type", "<style type=text/x>b { background: url({}) }</style><b>x</b>"),
    _case("style of another type: @import", "<style type=text/x>@import '{}';</style>", _SCANNED),
    _case("style's type with a parameter", "<style type='text/css;a=b'>b { background: url({}) }</style><b>x</b>"),
    _case("style's type in upper case", "<style type=TEXT/CSS>b { background: url({}) }</style><b>x</b>"),
    _case("script in another language", "<script language=vbscript src={}></script>"),
    _case("srcdoc: script", '<iframe srcdoc="<script src={}></script>"></iframe>'),
    _case("srcdoc: escaped script", '<iframe srcdoc="&lt;script src={}>&lt;/script>"></iframe>'),
    _case("srcdoc: image", '<iframe srcdoc="<img src={}>"></iframe>'),
    _case("srcdoc: form", '<iframe srcdoc="<form action={}></form>"></iframe>'),
    _case("srcdoc: icon", '<iframe srcdoc="<link rel=icon href={}>"></iframe>'),
    _case("srcdoc: comment", '<iframe srcdoc="<!--<script src={}></script>-->"></iframe>'),
    _case("srcdoc within srcdoc", "<iframe srcdoc=\"<iframe srcdoc='<script src={}></script>'></iframe>\"></iframe>"),
    _case("srcdoc with src", "<iframe src={} srcdoc=x></iframe>"),
    _case("srcdoc under a base", f"<base href=http://{INSECURE}/><iframe srcdoc='<script src=x></script>'></iframe>"),
    _case(
        "srcdoc upgraded by its page",
        f"<meta http-equiv=Content-Security-Policy content={_UPGRADE}>"
        "<iframe srcdoc='<script src={}></script>'></iframe>",
    ),
    _case("srcdoc, sandboxed: image", '<iframe sandbox srcdoc="<img src={}>"></iframe>', _OTHER_PROCESS),
    _case("srcdoc, same origin: image", '<iframe sandbox=allow-same-origin srcdoc="<img src={}>"></iframe>'),
    _case(
        "srcdoc without scripts: script",
        '<iframe sandbox=allow-same-origin srcdoc="<script src={}></script>"></iframe>',
        _SCANNED,
    ),
    _case("body onload", "<body onload=\"fetch('{}').catch(() => 0)\">"),
    _case("iframe onload", "<iframe onload=\"fetch('{}').catch(() => 0)\"></iframe>"),
    _case("svg onload", "<svg onload=\"fetch('{}').catch(() => 0)\"></svg>"),
    _case("div onload", "<div onload=\"fetch('{}').catch(() => 0)\"></div>"),
    _case("onclick", "<b onclick=\"fetch('{}').catch(() => 0)\">x</b>"),
    _case("img onerror, fails", "<img src=data:, onerror=\"fetch('{}').catch(() => 0)\">", _AFTER_LOAD),
    _case("img onerror, loads", f"<img src={_GIF} onerror=\"fetch('{{}}').catch(() => 0)\">"),
    _case("document.write", "<script>document.write('<script src={}><\\/script>')</script>"),
    _case("document.write in parts", "<script>var a;\ndocument.write('<scr' + 'ipt src={}></scr' + 'ipt>')</script>"),
    _case("document.write, conditional", "<script>window.document || document.write('<img src={}>')</script>"),
    _case("document.write in a block", "<script>if (!document) { document.write('<img src={}>') }</script>"),
    _case(
        "document.write in a function",
        "<script>(function () { document.write('<img src={}>') })()</script>",
        _RUN,
    ),
    _case("innerHTML", "<p id=a><script>document.getElementById('a').innerHTML = '<img src={}>'</script>", _RUN),
    _case("script in an address", "<iframe src=\"javascript:fetch('{}')\"></iframe>", _RUN),
    _case("use in SVG", "<svg><use href={}#a /></svg>"),
    _case(
        "presentation attribute in SVG",
        "<svg><rect width=9 height=9 fill='url({}#a)' /></svg>",
        "attributes that style SVG are not read: what they name stands in the same page",
    ),
    _case("constant", f"<script>const API = '{_API}'; fetch(API).catch(() => 0)</script>"),
    _case("constant and more", f"<script>var API = '{_API}'\nfetch(API + '/x').catch(() => 0)</script>"),
    _case(
        "constant in a template",
        f"<script>let a = '{_API}'; const f = () => fetch(`${{a}}/x`).catch(() => 0); f()</script>",
    ),
    _case("constant, assigned anew", f"<script>let a = '{_API}'; a = '/x'; fetch(a)</script>"),
    _case("constant behind a parameter", f"<script>const a = '{_API}'; (function (a) {{ fetch(a) }})('/x')</script>"),
    _case("constant of another script", f"<script>const a = '{_API}'</script><script>fetch(a)</script>", _RUN),
    _case("constant by a detour", f"<script>const a = '{_API}', b = a; fetch(b).catch(() => 0)</script>", _RUN),
    _case("subtitles", "<video controls crossorigin src=/x.mp4><track default src={}></video>"),
    _case("subtitles without crossorigin", "<video controls src=/x.mp4><track default src={}></video>"),
    _case("subtitles that nobody chose", "<video controls crossorigin src=/x.mp4><track src={}></video>"),
    _case("srcset for other screens", "<img src=/y.png srcset='{} 2x'>", _MAYBE),
    _case("video that nobody plays", "<video preload=none src={}></video>", _MAYBE),
    _case("iframe far below", "<p style='height: 99999px'></p><iframe loading=lazy src={}></iframe>", _MAYBE),
    _case(
        "form of a dialog",
        "<form method=dialog action={}></form>",
        "Chromium warns of the address, but what is typed into a dialog is sent nowhere",
    ),
    _case(
        "form's button",
        "<form><button formaction={}>x</button></form>",
        "Chromium warns when the form is sent, which the comparison does not do",
    ),
    _case("canonical", "<link rel=canonical href={}>"),
    _case("feed", "<link rel=alternate type=application/rss+xml href={}>"),
    _case("Open Graph", "<meta property=og:image content={}>"),
    _case("comment", "<!-- <img src={}> -->"),
    _case("noscript", "<noscript><img src={}></noscript>"),
    _case("template", "<template><img src={}></template>"),
    _case("JSON-LD", '<script type=application/ld+json>{"url": "{}"}</script>'),
    _case("nomodule", "<script nomodule src={}></script>"),
    _case("@namespace", "<style>@namespace x url({});</style>"),
    _case(
        "unused rule",
        "<style>.never { background: url({}) }</style>",
        "no element of this page uses the rule; which ones do on others only a browser can tell",
    ),
    _case(
        "style attribute: no property",
        '<p style="src: url({})">x</p>',
        "every url() of a style attribute counts, whatever it is assigned to; nobody writes one there for nothing",
    ),
    _case("style attribute: list image", '<li style="list-style-image: url({})">x</li>'),
    _case("style attribute: border image", '<p style="border: 9px solid; border-image: url({}) 9">x</p>'),
    _case("style attribute: comment", '<p style="/* url({}) */ color: red">x</p>'),
    _case("base before", f"<base href=http://{INSECURE}/><img src=x>"),
    _case("base before a script", f"<base href=http://{INSECURE}/><script src=x></script>"),
    _case("second base", f"<base href=https://example.com/><base href=http://{INSECURE}/><img src=x>"),
    _case("base and absolute URL", f"<base href=http://{INSECURE}/><img src=https://example.com/x>"),
    _case("base under a form", f"<base href=http://{INSECURE}/><form action=/send></form>"),
    _case("protocol-relative", "<img src=//m.example.com/x>"),
    _case("protocol-relative with an insecure base", f"<base href=http://{INSECURE}/><img src=//{INSECURE}/x>"),
    _case("back slashes", f"<img src='http:\\\\{INSECURE}\\x'>"),
    _case("upper case", f"<img src=HTTP://{INSECURE.upper()}/x>"),
    _case("line break in the URL", f"<img src='ht\ntp://{INSECURE}/x'>"),
    _case("same-site stylesheet: image", _LINK, sheet=".a { background: url({}) }"),
    _case("same-site stylesheet: import", _LINK, sheet="@import '{}';"),
    _case(
        "same-site stylesheet: font", _LINK, sheet="@font-face { font-family: A; src: url({}) } .a { font-family: A }"
    ),
    _case("same-site stylesheet: comment", _LINK, sheet="/* url({}) */ .a { color: red }"),
    _case("upgrade: image", "<img src={}>", policy=_UPGRADE),
    _case("upgrade: script", "<script src={}></script>", policy=_UPGRADE),
    _case("upgrade: iframe", "<iframe src={}></iframe>", policy=_UPGRADE),
    _case("upgrade: stylesheet's image", _LINK, policy=_UPGRADE, sheet=".a { background: url({}) }"),
    _case("upgrade: link", "<a href={}>x</a>", policy=_UPGRADE),
    _case(
        "upgrade by meta", f"<meta http-equiv=Content-Security-Policy content={_UPGRADE}><script src={{}}></script>"
    ),
    _case(
        "upgrade by meta, after",
        f"<script src={{}}></script><meta http-equiv=Content-Security-Policy content={_UPGRADE}>",
    ),
    _case(
        "upgrade by meta, in the body",
        f"<p><meta http-equiv=Content-Security-Policy content={_UPGRADE}><img src={{}}>",
    ),
    _case(
        "upgrade, report only",
        f"<meta http-equiv=Content-Security-Policy-Report-Only content={_UPGRADE}><img src={{}}>",
    ),
    _case("block all: image", "<img src={}>", policy=_BLOCK),
    _case("block all: script", "<script src={}></script>", policy=_BLOCK),
    _case("block all and upgrade: script", "<script src={}></script>", policy=f"{_BLOCK}; {_UPGRADE}"),
)
