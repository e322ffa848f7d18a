#!/usr/bin/env python3
"""Train, tune and test from PySlowFast-style YAML; the arguments are those of PySlowFast."""

from slowfast_ext.commands.arguments import check_early, parse_arguments
from slowfast_ext.errors import exit_with_sentence

if __name__ == "__main__":
    with exit_with_sentence():
        args = parse_arguments()
        check_early(args)
        # torch takes seconds to import: what can be told without it has been.
        from slowfast_ext.commands.run_net import run_configs

        run_configs(args)
