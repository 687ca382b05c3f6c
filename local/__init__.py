"""What runs Padlock on one machine, without an AWS account."""
