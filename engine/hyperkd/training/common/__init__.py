"""What every training here shares."""
