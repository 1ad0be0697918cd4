"""One network over a whole raster: plan, read, compute, blend, write, in bounded memory."""
