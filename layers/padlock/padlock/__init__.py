"""Padlock checks from outside whether a web site's domain and HTTPS set-up work, and names what to fix."""
