"""What can be asked for: one frozen dataclass per job, and its options."""
