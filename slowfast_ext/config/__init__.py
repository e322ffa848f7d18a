"""Every key, what it may be, and reading a config."""

from slowfast_ext.config.load import load_config

__all__ = ["load_config"]
