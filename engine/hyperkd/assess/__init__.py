"""Accuracy assessment and reports."""
