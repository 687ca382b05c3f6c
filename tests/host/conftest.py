"""The fixtures of the host lab."""

from tests.host.fixtures import host, web, world

__all__ = ["host", "web", "world"]
