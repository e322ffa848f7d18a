"""The order of the package's rooms: each imports only what stands below it."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "slowfast_ext"

# From the ground up; rooms of one floor do not know each other.
FLOORS = [
    {"__init__", "errors"},
    {"utils"},
    {"upstream_config"},
    {"upstream"},
    {"config", "models"},
    {"datasets"},
    {"evaluation", "prepare", "paper"},
    {"engine"},
    {"visualization"},
    {"predict", "report", "export", "recognition", "upstream_programs"},
    {"commands"},
    {"__main__"},
]
HEIGHT = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
# Doors from below, opened when called: what `import slowfast_ext` offers, and the clone's study.
DOORS = {("__init__", room) for room in ("recognition", "datasets", "models", "upstream_programs")}


def module_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imported(path, inner=True):
    """The package's modules that a file imports; `inner`: within functions too."""
    tree = ast.parse(path.read_text())
    nodes = ast.walk(tree) if inner else tree.body
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module for name in names}
    return {name for name in found if name.partition(".")[0] == "slowfast_ext"}


def room_of(module):
    return (module.split(".") + ["__init__"])[1]


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_stands_below_it(module):
    room = room_of(module)
    above = {
        other
        for other in imported(MODULES[module])
        if room_of(other) != room
        and HEIGHT[room_of(other)] >= HEIGHT[room]
        and (room, room_of(other)) not in DOORS
    }
    assert not above


def test_no_modules_import_each_other_in_a_circle():
    arrows = {module: imported(path, inner=False) for module, path in MODULES.items()}
    left = dict(arrows)
    while free := [module for module, below in left.items() if not below & left.keys() - {module}]:
        for module in free:
            del left[module]
    assert not left


def test_commands_are_imported_by_main_alone():
    outside = [path for path in PACKAGE.rglob("*.py") if path.parent.name != "commands"]
    users = {module_of(path) for path in outside if any("commands" in m for m in imported(path))}
    assert users == {"slowfast_ext.__main__"}


def test_every_room_has_a_floor():
    assert {room_of(module) for module in MODULES} == set(HEIGHT)
