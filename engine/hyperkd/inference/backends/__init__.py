"""Runtimes that execute a network."""
