"""How a model computes: torch networks."""
