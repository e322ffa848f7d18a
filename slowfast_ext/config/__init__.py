"""Every key, what it may be, and reading a config."""
