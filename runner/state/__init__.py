"""What is known under data/state."""
