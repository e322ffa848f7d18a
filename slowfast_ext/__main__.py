"""python -m slowfast_ext COMMAND."""

import argparse
import importlib

from slowfast_ext.errors import exit_with_sentence

# The words of a command -> (its module, which has add_arguments(parser) and run(args); help).
COMMANDS = {
    ("quickstart",): (
        "slowfast_ext.commands.quickstart",
        "train, tune and test the paper's head and upstream's on synthetic video",
    ),
    ("prepare", "charades"): (
        "slowfast_ext.commands.prepare_charades",
        "check Charades' official files and write lists of them",
    ),
    ("prepare", "ava"): (
        "slowfast_ext.commands.prepare_ava",
        "check AVA's official files and write frames, lists and annotations of them",
    ),
    ("prepare", "volleyball"): (
        "slowfast_ext.commands.prepare_volleyball",
        "check Volleyball's own folders and write lists of their moments",
    ),
    ("prepare", "boxes"): (
        "slowfast_ext.commands.prepare_boxes",
        "detect the persons on the keyframes of videos",
    ),
    ("prepare", "lists"): (
        "slowfast_ext.commands.prepare_lists",
        "check your own videos and labels, split them and write lists of them",
    ),
    ("evaluate", "charades"): (
        "slowfast_ext.commands.evaluate_charades",
        "score predictions as Charades' official script does",
    ),
    ("evaluate", "ava"): (
        "slowfast_ext.commands.evaluate_ava",
        "score detections as AVA's official script does, or as PySlowFast",
    ),
    ("predict",): (
        "slowfast_ext.commands.predict",
        "write when which activity happens in videos of any length",
    ),
    ("maps",): (
        "slowfast_ext.commands.maps",
        "draw where in a video a network sees each activity",
    ),
    ("fit-rates",): (
        "slowfast_ext.commands.fit_rates",
        "fit each activity's weights over the sampling rates of a test",
    ),
    ("report",): (
        "slowfast_ext.commands.report",
        "write one page about a run: curves, precision, correlations, its hardest videos",
    ),
    ("export",): (
        "slowfast_ext.commands.export",
        "write a trained network as a torch.export or ONNX file, checked against it",
    ),
    ("tables",): (
        "slowfast_ext.commands.tables",
        "print the paper's tables beside our results, or count what the heads cost",
    ),
}


def build_parser():
    """The parser of all commands; a parsed command's `run` is its module's."""
    parser = argparse.ArgumentParser(prog="python -m slowfast_ext", description=__doc__)
    # prefix -> the subparsers below it.
    groups = {(): parser.add_subparsers(metavar="COMMAND", required=True)}
    for words, (module, text) in COMMANDS.items():
        *prefix, name = words
        prefix = tuple(prefix)
        if prefix not in groups:
            group = groups[()].add_parser(prefix[0], help=f"{prefix[0]} ...")
            groups[prefix] = group.add_subparsers(metavar="WHAT", required=True)
        command = groups[prefix].add_parser(name, help=text, description=text)
        module = importlib.import_module(module)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def main():
    """Parses the command and runs it."""
    with exit_with_sentence():
        args = build_parser().parse_args()
        args.run(args)


if __name__ == "__main__":
    main()
