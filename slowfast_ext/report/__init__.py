"""One page about a run: what it learned, where it fails, how it was set."""
