"""What the job ``restore`` is made of: what is missing, what the scene teaches, what is filled."""
