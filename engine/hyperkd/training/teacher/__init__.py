"""Frozen teachers, and their features on disk."""
