"""Runs a job in the engine's own process and tells how it ended."""
