"""Models with fewer bits: what they lose by that, and what they gain."""
