"""All targets, by name."""

from collections.abc import Mapping

from tests.fuzz import of_declarations, of_hosts, of_network, of_pages, of_services
from tests.fuzz.target import Target

_MODULES = (of_network, of_pages, of_services, of_hosts, of_declarations)
TARGETS: Mapping[str, Target] = {target.name: target for module in _MODULES for target in module.TARGETS}
