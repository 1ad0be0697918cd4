"""Spatially separate parts of labels for training and testing."""
