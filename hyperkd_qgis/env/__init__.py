"""Finds out whether an interpreter can run the engine; only when the user asks."""
