"""A real host of the checklist, which can be broken and healed: nginx, Gunicorn, certbot, a firewall.

Started by tests/host/conftest.py; what it runs on is the same as tests/lab, and Debian's certbot and pebble.
"""
