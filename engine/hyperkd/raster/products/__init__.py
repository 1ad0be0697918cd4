"""Delivered products: EnMAP L2A, PRISMA L2D, EMIT L2A, DESIS L2A."""
