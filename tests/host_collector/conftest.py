"""The fixtures of tests/host."""

from tests.host.fixtures import web, world

__all__ = ["web", "world"]
