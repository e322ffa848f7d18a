"""Training, tuning, testing; launching, loading, checkpoints."""
