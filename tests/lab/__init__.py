"""A small Internet of real servers: knot, unbound, nginx, Gunicorn with Flask, and broken twins of a healthy site.

It lives in two network namespaces joined by a cable, the servers in one and the checker in the other. Their
addresses look public but exist nowhere else, and neither namespace has a way out. `python -m tests.lab` starts
it and opens a shell in the checker's namespace; `python -m tests.lab dig shop.test` runs one command there.
"""
