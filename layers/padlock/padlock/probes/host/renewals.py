"""What renews certbot's certificates: timers and cron, hooks, and the dry run (checklist step 14)."""

import re
from collections.abc import Iterator, Mapping, Sequence

from padlock.evidence.host import RenewalTest, RenewalTimer
from padlock.network.failure import printable
from padlock.probes.host.document import Document, Section

_TIMERS = 50
_KEPT = 100
_OUTPUT_KEPT = 6_000
_OUTCOME = re.compile(r"^\s{0,8}(/\S{1,1000}) \((success|failure|parsefail|skipped)\)\s*$", re.MULTILINE)
_PROBLEM = re.compile(
    r"^\s{1,4}(?:Domain|Identifier):[ ]{1,8}(\S{1,300})\n"
    r"\s{1,4}Type:[ ]{1,8}(\S{1,100})\n"
    r"\s{1,4}Detail:[ ]{1,8}([^\n]{1,2000})",
    re.MULTILINE,
)
_FAILED = re.compile(r"^Failed to renew certificate (\S{1,300}) with error: ([^\n]{1,2000})", re.MULTILINE)
_UNREADABLE = re.compile(r"^Renewal configuration file (\S{1,1000}) ([^\n]{1,2000})", re.MULTILINE)
_HOOK_OPTION = re.compile(r"--(?:deploy|renew|post)-hook[ =]")
_NGINX = re.compile(r"\bnginx\b")


def timers(document: Document) -> tuple[RenewalTimer, ...] | None:
    """Return what runs certbot by the clock; None where that could not be asked."""
    section = document.succeeded("certbot_timers")
    if section is None:
        return None
    rows = [(row[0], row[1], tuple(row[2:])) for row in section.rows(2)]
    cron_runs = not any(kind == "cron-daemon" and name == "stopped" for kind, name, _ in rows)
    return tuple(_timers(rows, cron_runs))[:_TIMERS]


def _timers(rows: Sequence[tuple[str, str, tuple[str, ...]]], cron_runs: bool) -> Iterator[RenewalTimer]:
    for kind, name, rest in rows:
        shown, detail = printable(name), printable(" ".join(rest), 500)
        if kind == "timer":  # one that is enabled but not active starts with the next boot only
            yield RenewalTimer("timer", shown, " ".join(rest).split()[:1] == ["active"], detail)
        elif kind in ("cron", "cron-inactive"):
            yield RenewalTimer("cron", shown, kind == "cron" and cron_runs, detail)


def settings(document: Document) -> dict[str, dict[str, str]] | None:
    """Return name of a certificate → its renewal's settings; None where they could not be read."""
    section = document.succeeded("certbot_renewal_conf")
    if section is None:
        return None
    found: dict[str, dict[str, str]] = {}
    for file, key, value in _settings(section):
        if key != "hook":
            name = file.rpartition("/")[2].removesuffix(".conf")
            found.setdefault(name, {})[key] = "" if value.strip() == "None" else value.strip()
    return found


def reloads(document: Document, found: Sequence[RenewalTimer]) -> bool | None:
    """Return whether nginx is reloaded after every renewal; None where a hook may or may not do so."""
    if any(timer.active and _HOOK_OPTION.search(timer.detail) and _NGINX.search(timer.detail) for timer in found):
        return True
    section, own = document.succeeded("certbot_renewal_conf"), settings(document)
    if section is None or own is None:
        return None
    shared = [f"{file} {value}" for file, key, value in _settings(section) if key == "hook"]
    if any(_NGINX.search(words) for words in shared):
        return True
    each = [_reloads(values) for values in own.values()]
    if each and all(each):
        return True
    return None if shared or not each or None in each or any(each) else False


def _settings(section: Section) -> list[tuple[str, str, str]]:
    """Return file, key and value of each line; the key `hook` is a script of every renewal, with what it says."""
    return [(row[0], row[1], row[2]) for row in section.rows(3)]


def _reloads(values: Mapping[str, str]) -> bool | None:
    """Return whether one certificate's renewal reloads nginx; None where a hook of its own may."""
    hooks = [values[key] for key in ("renew_hook", "deploy_hook", "post_hook") if values.get(key)]
    if values.get("installer") == "nginx" or any(_NGINX.search(hook) for hook in hooks):
        return True
    return None if hooks else False


def dry_run(section: Section | None) -> RenewalTest | None:
    """Return what `certbot renew --dry-run` said; None: it was not run."""
    if section is None or section.ran().missing:
        return None
    outcomes = _OUTCOME.findall(section.output)
    failed = [path for path, outcome in outcomes if outcome in ("failure", "parsefail")]
    return RenewalTest(
        ran=section.ran(_OUTPUT_KEPT),
        succeeded=tuple(printable(path, 1_000) for path, outcome in outcomes if outcome == "success")[:_KEPT],
        failed=tuple(printable(path, 1_000) for path in failed)[:_KEPT],
        problems=tuple(printable(problem, 500) for problem in _problems(section))[:_KEPT],
    )


def _problems(section: Section) -> list[str]:
    """Return the authority's words for each name, then certbot's own for each certificate without such."""
    if section.status == 0:
        return []
    told = [f"{name}: {kind}: {detail}" for name, kind, detail in _PROBLEM.findall(section.output)]
    other = [
        f"{name}: {error}" for name, error in _FAILED.findall(section.output) if "challenges have failed" not in error
    ]
    other += [f"{path}: {error}" for path, error in _UNREADABLE.findall(section.output)]
    if told or other:
        return [*told, *other]
    lines = [line.strip() for line in section.output.split("\n") if line.strip(" -\r")]
    dull = ("Saving debug log", "Ask for help", "Processing /")
    return [line for line in lines if not line.startswith(dull)][:5]
