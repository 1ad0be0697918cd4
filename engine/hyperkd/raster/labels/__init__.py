"""Labels as users have them, on the pixels of scenes."""
