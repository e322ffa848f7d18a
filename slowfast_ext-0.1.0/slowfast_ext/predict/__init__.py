"""What happens when in long videos."""
