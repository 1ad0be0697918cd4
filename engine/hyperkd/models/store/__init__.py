"""Where models come from: the local store, published models, downloads."""
