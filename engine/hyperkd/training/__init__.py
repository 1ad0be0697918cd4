"""Training loops, losses, samples, checkpoints and export."""
