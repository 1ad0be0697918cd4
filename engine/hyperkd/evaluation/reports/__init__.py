"""Self-contained HTML pages, and the same figures as JSON."""
