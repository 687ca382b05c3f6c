"""What `make run` leaves to be opened in a browser: the reports of its sites as a page, and the dashboard's widget.

The widget's buttons act where CloudWatch shows it; in a file there is nothing that they could call.
"""

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

from padlock import storage
from padlock.render.page import Beside, Past, history, page, report_of

from local.pump import Pump

FOLDER = Path(__file__).resolve().parent.parent / ".cache" / "run"
THEMES = ("light", "dark")
SHOWN = 100
"""Runs of a site's history that are drawn."""
HOST = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>The dashboard's widget</title>
<style>body{margin:1rem;font:14px/1.4 system-ui,sans-serif;background:%s}.btn{border:1px solid;padding:0 .4em}</style>
</head>
<body>
%s
</body>
</html>
"""
"""What stands around the widget, as CloudWatch's own page would."""
GROUND = {"light": "#fff", "dark": "#161d26"}


def write(pump: Pump, results: storage.Results, names: Iterable[str], folder: Path = FOLDER) -> Sequence[Path]:
    """Write the reports of sites that are stored, and the widget in both themes; return where they are."""
    folder.mkdir(parents=True, exist_ok=True)
    states = {name: state for name in names if (state := results.state(name))}
    reports = [report for state in states.values() if (report := report_of(state))]
    beside = {name: Beside(past=_past(results, name)) for name in states}
    texts = {"reports.html": page(reports, beside)} if reports else {}
    texts |= {f"widget-{theme}.html": HOST % (GROUND[theme], _widget(pump, theme)) for theme in THEMES}
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in texts]


def _widget(pump: Pump, theme: str) -> str:
    return str(pump.invoke("dashboard", {"widgetContext": {"theme": theme}}))


def _past(results: storage.Results, name: str) -> tuple[Past, ...]:
    """Return a site's latest runs, the oldest first."""
    return history(islice(results.history(name), SHOWN))
