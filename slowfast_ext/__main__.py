"""python -m slowfast_ext COMMAND."""

import argparse

from slowfast_ext.errors import exit_with_sentence


def main():
    """Parses the command and runs it."""
    parser = argparse.ArgumentParser(prog="python -m slowfast_ext", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser(
        "quickstart", help="train, tune and test the paper's head and upstream's on synthetic video"
    )
    parser.parse_args()
    with exit_with_sentence():
        from slowfast_ext.quickstart import quickstart

        quickstart()


if __name__ == "__main__":
    main()
