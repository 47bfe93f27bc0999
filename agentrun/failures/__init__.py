"""Failures: from raw evidence to a verdict that names its rule.

Owns classification. Modules are imported one by one (`from agentrun.failures.classify import
classify`), so that importing the room costs nothing.
"""
