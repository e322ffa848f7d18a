"""Multi-label activity recognition for PySlowFast; importing it registers models and heads."""

__version__ = "0.1.0"
