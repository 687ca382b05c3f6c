"""The commands that help with the others: explain, completion."""

from padlock.cli import completion, explain
from padlock.cli.grammar.common import SHOWN, Commands, command, formats


def add(commands: Commands) -> None:
    """Add the commands."""
    _explain(commands)
    _completion(commands)


def _explain(commands: Commands) -> None:
    parser = command(
        commands,
        "explain",
        "Say what a code means, why it matters, what heals it, where it comes from, and which causes it belongs to.",
        "# a finding's code, or a cause's\n"
        "padlock explain certificate.expired\n"
        "padlock explain cause.renewal_broken\n"
        "# all codes, or those of a subject\n"
        "padlock explain\n"
        "padlock explain hsts",
        f"{SHOWN}",
    )
    parser.add_argument(
        "codes", nargs="*", metavar="CODE", help="such as certificate.expired, or its beginning; without one: all"
    )
    formats(parser, explain.FORMATS, "the same as --format json: an array")
    parser.set_defaults(run=explain.explain, doing="explaining a code")


def _completion(commands: Commands) -> None:
    parser = command(
        commands,
        "completion",
        "Print what lets a shell complete Padlock's commands, options and codes.",
        "# bash, for this shell or for all to come\n"
        'eval "$(padlock completion bash)"\n'
        "padlock completion bash >~/.local/share/bash-completion/completions/padlock\n"
        "# zsh, where ~/.zfunc stands in $fpath before compinit\n"
        "padlock completion zsh >~/.zfunc/_padlock\n"
        "# fish\n"
        "padlock completion fish >~/.config/fish/completions/padlock.fish",
        SHOWN,
    )
    parser.add_argument("shell", metavar="SHELL", choices=completion.SHELLS, help=", ".join(completion.SHELLS))
    parser.set_defaults(run=completion.completion, doing="writing the completion")
