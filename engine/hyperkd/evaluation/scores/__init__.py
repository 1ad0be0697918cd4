"""Scores of maps and models, and how sure they are."""
