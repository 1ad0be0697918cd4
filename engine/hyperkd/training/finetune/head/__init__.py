"""Dense heads on frozen features."""
