"""
What becomes of PySlowFast's own config files: docs/STOCK_FILES.md.

    python -m tools.stock_files CLONE PYTORCHVIDEO > docs/STOCK_FILES.md

loads every YAML file of a clone of GitHub's main twice, with the model's name alone and as
docs/PYSLOWFAST.md says, over the PySlowFast that is installed (1.0 of PyPI) and over the clone with
PYTORCHVIDEO, a clone of that. Some minutes; nothing is trained.
"""

import argparse
import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
NAME = ["MODEL.MODEL_NAME", "ActivityNetwork"]
# The user's own data, in place of a single-label set's.
DATA = [
    *("TRAIN.DATASET", "MultiLabelVideos", "TEST.DATASET", "MultiLabelVideos"),
    *("DATA.PATH_TO_DATA_DIR", "lists", "MODEL.NUM_CLASSES", "10"),
    *("MODEL.LOSS_FUNC", "bce_logit", "MODEL.HEAD_ACT", "sigmoid"),
]
# A machine's GPUs, which stock files ask for; here none is needed.
NUM_GPUS = 8
SAYS_WHAT_TO_SET = re.compile(
    r"([\w.]+) is .*: it .*(?:set it to|must not be empty; its default is) (\S+)"
)
# The start of a sentence -> what docs/PYSLOWFAST.md says to set over PyPI's 1.0.
OVER_INSTALLED = {
    "MODEL.ARCH is 'slow':": ["MODEL.ARCH", "slowonly"],
    "BN.NORM_TYPE is 'sync_batchnorm': it needs": ["BN.NORM_TYPE", "batchnorm"],
}
HEADING = """# PySlowFast's own config files

Made by `python -m tools.stock_files`: every YAML file of GitHub's main, as it stands there, over
`pyslowfast` 1.0 and over main, on a machine of {gpus} GPUs. A cell is the backbone that is built,
or the number of the [sentence](#sentences) with which the file is refused.

- "Alone": `MODEL.MODEL_NAME ActivityNetwork` and nothing else is set.
- "As documented": data, classes and loss are set too, as [PYSLOWFAST.md](PYSLOWFAST.md#your-config)
  says (Charades' and AVA's files have them already). In brackets: what else had to be set, which
  PYSLOWFAST.md or the sentence itself says.

| | alone, 1.0 | as documented, 1.0 | alone, main | as documented, main |
|---|---|---|---|---|
| load, of {total} | {counts} |

"""


def outcome(path, words):
    """(the backbone's name, "") of a file that loads, else ("", the sentence of refusal)."""
    from slowfast_ext.engine.setup import checked_config
    from slowfast_ext.errors import SlowFastExtError
    from slowfast_ext.models.backbones import backbone_name

    try:
        return backbone_name(checked_config(str(path), words)), ""
    except SlowFastExtError as error:
        return "", str(error).replace(f"{path}: ", "").replace(str(path), path.name)


def as_documented(path):
    """(backbone, sentence, the further keys that sentences named), as of `outcome`."""
    is_multi_label = re.search(r"DATASET: *(charades|ava)\b", path.read_text(), re.IGNORECASE)
    words, further = [*NAME, *([] if is_multi_label else DATA)], []
    while True:
        backbone, sentence = outcome(path, [*words, *further])
        named = SAYS_WHAT_TO_SET.fullmatch(sentence)
        pair = [named[1], named[2].strip("'") or "''"] if named else []
        for start, documented in OVER_INSTALLED.items():
            pair = documented if sentence.startswith(start) else pair
        if backbone or not pair or pair[0] in further:
            return backbone, sentence, further
        further += pair


def rows(folder):
    """{file's name: its `outcome` alone, then `as_documented`} over what is imported."""
    import torch

    torch.cuda.device_count = lambda: NUM_GPUS
    logging.disable(logging.CRITICAL)
    paths = sorted(path for path in folder.rglob("*.y*ml"))
    return {str(p.relative_to(folder)): [outcome(p, NAME), as_documented(p)] for p in paths}


def rows_over(folder, *upstreams):
    """`rows` in a process that imports these clones before what is installed."""
    path = os.pathsep.join(str(part) for part in (ROOT, *upstreams))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tools.stock_files", "--rows", folder],
        env={**os.environ, "PYTHONPATH": path},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def page(installed, main):
    """The page of `rows` over both."""
    sentences = {}

    def cell(backbone, sentence, further=()):
        if not backbone:
            return f"[{sentences.setdefault(sentence, len(sentences) + 1)}](#sentences)"
        pairs = zip(further[::2], further[1::2], strict=True)
        keys = ", ".join(f"`{key} {value}`" for key, value in pairs)
        return f"{backbone} ({keys})" if keys else backbone

    outcomes = {name: [*installed[name], *main[name]] for name in main}
    columns = zip(*outcomes.values(), strict=True)
    counts = " | ".join(str(sum(bool(cell[0]) for cell in column)) for column in columns)
    lines = ["| file | alone, 1.0 | as documented, 1.0 | alone, main | as documented, main |"]
    lines += ["|---" * 5 + "|"]
    lines += [f"| {name} | {' | '.join(cell(*o) for o in row)} |" for name, row in outcomes.items()]
    lines += ["", "## Sentences", ""]
    lines += [f"{number}. {sentence}" for sentence, number in sentences.items()]
    heading = HEADING.format(gpus=NUM_GPUS, total=len(outcomes), counts=counts)
    return heading + "\n".join(lines)


def main():
    """Prints the page or, for itself, the rows over what is imported."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("clone", type=Path, help="a clone of github.com/facebookresearch/SlowFast")
    parser.add_argument("pytorchvideo", type=Path, nargs="?", help="a clone of pytorchvideo")
    parser.add_argument("--rows", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.rows:
        print(json.dumps(rows(args.clone)))
        return
    configs = args.clone / "configs"
    print(page(rows_over(configs), rows_over(configs, args.clone, args.pytorchvideo)))


if __name__ == "__main__":
    main()
