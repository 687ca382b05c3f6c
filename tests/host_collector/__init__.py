"""The collector script itself, run by real shells on the hosts of tests/host.

samples/healthy.json is what it says of a healthy one; `python -m tests.host_collector` writes it anew.
"""
