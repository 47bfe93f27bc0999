"""The only loop: decide, record durably, perform. See loop.py."""
