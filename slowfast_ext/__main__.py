"""python -m slowfast_ext COMMAND."""

import argparse
import importlib

from slowfast_ext.commands import arguments, data_arguments
from slowfast_ext.errors import exit_with_sentence

# A command's words -> help. PREFIX_NAME_arguments, of `arguments` or `data_arguments`, adds what it
# takes; its module commands/PREFIX_NAME.py has run(args) and is imported for the chosen command
# alone, so that help and usage errors come at once.
COMMANDS = {
    "quickstart": "train, tune and test the paper's head and upstream's on synthetic video",
    "prepare charades": "check Charades' official files and write lists of them",
    "prepare ava": "check AVA's official files and write frames, lists and annotations of them",
    "prepare volleyball": "check Volleyball's own folders and write lists of their moments",
    "prepare boxes": "detect the persons on the keyframes of videos",
    "prepare tracks": "turn tracks of boxes into a set like AVA, or into clips of a subject each",
    "prepare lists": "check your own videos and labels, split them and write lists of them",
    "evaluate charades": "score predictions as Charades' official script does",
    "evaluate ava": "score detections as AVA's official script does, or as PySlowFast",
    "predict": "write when which activity happens in videos of any length",
    "label-check": "say what is odd in labels, and how far two labellers agree",
    "summary": "count labels or predictions: time budget, transitions, co-occurrence, ethogram",
    "maps": "draw where in a video a network sees each activity",
    "extract": "compute a frozen backbone's features once, for training heads and testing again",
    "compare": "train and test several heads or settings with the same seeds, in one table",
    "fit-rates": "fit each activity's weights over the sampling rates of a test",
    "report": "write one page about a run: curves, precision, correlations, its hardest videos",
    "export": "write a trained network as a torch.export or ONNX file, checked against it",
    "tables": "print the paper's tables beside our results, or count what the heads cost",
}

_DESCRIPTION = (
    "What stands around training and testing, which `python run_net.py --cfg YAML` does. "
    "`COMMAND --help` says what a command takes."
)


def build_parser():
    """The parser of all commands; what it parses has the command's `module`."""
    parser = argparse.ArgumentParser(prog="python -m slowfast_ext", description=_DESCRIPTION)
    functions = {**vars(arguments), **vars(data_arguments)}
    # prefix -> the subparsers below it.
    groups = {"": parser.add_subparsers(metavar="COMMAND", required=True)}
    for words, text in COMMANDS.items():
        prefix, _, name = words.rpartition(" ")
        if prefix not in groups:
            inner = [
                other.partition(" ")[2] for other in COMMANDS if other.startswith(f"{prefix} ")
            ]
            group = groups[""].add_parser(prefix, help=f"one of: {', '.join(inner)}")
            groups[prefix] = group.add_subparsers(metavar="WHAT", required=True)
        command = groups[prefix].add_parser(name, help=text, description=text)
        module = words.replace(" ", "_").replace("-", "_")
        functions[f"{module}_arguments"](command)
        command.set_defaults(module=f"slowfast_ext.commands.{module}")
    return parser


def main():
    """Parses the command and runs it."""
    with exit_with_sentence():
        args = build_parser().parse_args()
        arguments.check_early(args)
        importlib.import_module(args.module).run(args)


if __name__ == "__main__":
    main()
