"""The hostile lab: servers, names and pages that mean harm, each looked at by the whole check among healthy sites."""
