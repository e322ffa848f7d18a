"""
A view of SlowFast-R50 at 256 under TEST.COMPILE, beside the same without, in float32.

    python -m benchmarks.compiled [--repeats 15]

Compiling, minutes on 2 cores, is not part of the ratio and printed beside it.
"""

import copy
import time

import torch

from benchmarks.networks import slowfast_r50
from benchmarks.timing import (
    alternate,
    benchmark_parser,
    ratio_row,
    relative_difference,
    report,
    require_equal,
)
from slowfast_ext.models.inference import compiled

SIZE = 256


def scores(network, pathways):
    """Of one view, without a graph."""
    with torch.no_grad():
        return network(pathways)


def compare(network, pathways, repeats):
    """The row; ends the benchmark where the compiled network's scores differ."""
    wanted, fast = scores(network, pathways), copy.deepcopy(network)
    with compiled(fast):
        start = time.perf_counter()
        found = scores(fast, pathways)
        compiling = time.perf_counter() - start
        note = require_equal("scores", relative_difference(found, wanted), 1e-4)
        sides = {"plain": network, "compiled": fast}
        calls = {side: lambda n=n: scores(n, pathways) for side, n in sides.items()}
        seconds = alternate(calls, repeats)
    what, note = "a view of SlowFast-R50, TEST.COMPILE", f"{note}; compiling {compiling:.0f} s"
    return ratio_row(what, "without", seconds, "compiled", "plain", note)


def main():
    args = benchmark_parser(__doc__).parse_args()
    cfg, network = slowfast_r50()
    clip = torch.randn(1, 3, cfg.DATA.NUM_FRAMES, SIZE, SIZE)
    pathways = [clip[:, :, :: cfg.SLOWFAST.ALPHA], clip]
    report("compiled", [compare(network.eval(), pathways, args.repeats)])


if __name__ == "__main__":
    main()
