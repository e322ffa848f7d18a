#!/usr/bin/env python3
"""Train, tune and test from PySlowFast-style YAML; the arguments are those of PySlowFast."""

from slowfast_ext.commands.arguments import parse_arguments
from slowfast_ext.errors import exit_with_sentence

if __name__ == "__main__":
    with exit_with_sentence():
        args = parse_arguments()
        # torch takes seconds to import: help and usage errors are told before.
        from slowfast_ext.commands.run_net import run_configs

        run_configs(args)
