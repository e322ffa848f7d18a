"""
How large the package is, and how far one parameter travels through it.

    python tools/measure.py

prints lines, files and functions with their lengths, the share of comments and of functions that
are used once; and for `cfg` on its way through run_net.py how many modules it enters and how often
it climbs back: how often the next function that takes it stands on a higher floor than the last.
The trip is read from the code, branches one after the other, each function once.
"""

import ast
import io
import statistics
import sys
import tokenize
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.test_layers import HEIGHT, MODULES, PACKAGE, room_of  # noqa: E402

CORE = ("utils", "config", "models", "datasets", "evaluation", "engine", "upstream.py")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def sizes(paths):
    """Lines, files, median file, and the functions' lengths, longest first with their places."""
    lines = [path.read_text().count("\n") for path in paths]
    lengths = sorted(
        (
            (node.end_lineno - node.lineno + 1, f"{path.relative_to(ROOT)}:{node.lineno}")
            for path in paths
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, FUNCTIONS)
        ),
        reverse=True,
    )
    return sum(lines), len(lines), statistics.median(lines), lengths


def share_of_comments(paths):
    """Lines that hold a comment, over all."""
    comments = total = 0
    for path in paths:
        text = path.read_text()
        tokens = tokenize.generate_tokens(io.StringIO(text).readline)
        comments += sum(token.type == tokenize.COMMENT for token in tokens)
        total += text.count("\n")
    return comments / total


def share_used_once(paths):
    """Private functions and methods whose name stands in one more place alone, over all."""
    functions, private, names = 0, [], Counter()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, FUNCTIONS):
                functions += 1
                private += [node.name] if node.name.startswith("_") else []
            elif isinstance(node, ast.Name):
                names[node.id] += 1
            elif isinstance(node, ast.Attribute):
                names[node.attr] += 1
    private = [name for name in private if not name.startswith("__")]
    return sum(names[name] == 1 for name in private) / functions


class Trip:
    """The functions that take `cfg`, in the order in which they are entered from `start`."""

    def __init__(self, module, function):
        self.trees = {name: ast.parse(path.read_text()) for name, path in MODULES.items()}
        self.stays, self._seen = [], set()
        self._enter(module, function)

    def climbs(self):
        """How often the next stay is on a higher floor than the last."""
        floors = [HEIGHT[room_of(module)] for module in self.stays]
        return sum(after > before for before, after in zip(floors, floors[1:], strict=False))

    def _enter(self, module, name):
        for node in self._definitions(module, name):
            if (module, node.name, node.lineno) in self._seen:
                continue
            self._seen.add((module, node.name, node.lineno))
            self.stays.append(module)
            for call in filter(_takes_cfg, ast.walk(node)):
                for place in self._places(module, call.func):
                    self._enter(*place)

    def _definitions(self, module, name):
        """A function of that name, or a class's constructor."""
        for node in self.trees[module].body:
            if isinstance(node, FUNCTIONS) and node.name == name:
                yield node
            elif isinstance(node, ast.ClassDef) and node.name == name:
                yield from (n for n in node.body if getattr(n, "name", "") == "__init__")

    def _places(self, module, function):
        """Where a called name is defined: this module, or what it imports."""
        imports = {}
        for node in ast.walk(self.trees[module]):
            if isinstance(node, ast.ImportFrom) and node.module:
                imports |= {a.asname or a.name: (node.module, a.name) for a in node.names}
        if isinstance(function, ast.Name):
            found = [imports.get(function.id, (module, function.id))]
        elif isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
            found = [(".".join(imports.get(function.value.id, ("", ""))), function.attr)]
        else:
            found = []
        return [place for place in found if place[0] in MODULES]


def _takes_cfg(node):
    """True for a call that hands `cfg` on, whole."""
    given = [*node.args, *(k.value for k in node.keywords)] if isinstance(node, ast.Call) else []
    return any(
        (isinstance(argument, ast.Name) and argument.id == "cfg")
        or (isinstance(argument, ast.Attribute) and argument.attr == "cfg")
        for argument in given
    )


def main():
    """Prints all of it."""
    everything = sorted(PACKAGE.rglob("*.py"))
    core = [path for path in everything if path.relative_to(PACKAGE).parts[0] in CORE]
    for name, paths in (("slowfast_ext", everything), ("its core", core)):
        lines, files, median, lengths = sizes(paths)
        counts = [length for length, _ in lengths]
        print(f"{name}: {lines} lines, {files} files (median {median:g} lines)")
        print(
            f"  {len(counts)} functions, lines: median {statistics.median(counts):g}, "
            f"p90 {sorted(counts)[int(0.9 * len(counts))]}, longest {lengths[0][0]}"
        )
    print("functions above 60 lines:", *(f"{p} ({n})" for n, p in sizes(everything)[3] if n > 60))
    print(f"lines with a comment: {share_of_comments(everything):.1%}")
    print(f"private functions used once: {share_used_once(everything):.1%} of all")
    trip = Trip("slowfast_ext.commands.run_net", "run")
    print(f"cfg through one run: {len(set(trip.stays))} modules, {trip.climbs()} climbs back")


if __name__ == "__main__":
    main()
