"""What runs on an audited host itself: collect.sh, which `padlock audit-host`, ssh or Systems Manager starts."""
