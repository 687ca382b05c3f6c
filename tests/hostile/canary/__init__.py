"""Canaries: every refused address listens, and sites try by every way to have one of them touched."""
