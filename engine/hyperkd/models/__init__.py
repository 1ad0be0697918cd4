"""What a model is: its card, its files, where it is kept. No torch."""
