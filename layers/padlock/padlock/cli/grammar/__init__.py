"""The grammar of each command, with its examples; `padlock.cli.arguments` puts them together."""
