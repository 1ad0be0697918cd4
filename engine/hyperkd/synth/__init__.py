"""Simulated EnMAP-like scenes with known truth."""
