"""
python -m slowfast_ext compare: several heads or settings, each with the same seeds, in one table.

KEY VALUE pairs may follow, as run_net.py takes them: FEATURES.PATH DIR makes each run a matter of
minutes.
"""

import functools
import itertools
import re
import shlex

from slowfast_ext.commands import run_net as engine
from slowfast_ext.commands.arguments import INIT_METHOD
from slowfast_ext.commands.quickstart import read_results
from slowfast_ext.config.compare import check_same_results
from slowfast_ext.config.load import load_config
from slowfast_ext.config.schema import refuse
from slowfast_ext.engine.launch import launch, refuse_torchrun
from slowfast_ext.engine.setup import checked_config, network_of_shapes
from slowfast_ext.engine.weights import read_weights, started_share
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.evaluation.intervals import interval
from slowfast_ext.utils.paths import pathmgr
from slowfast_ext.utils.tables import write_rows


def run(args):
    """
    Trains, tunes and tests each setting with each seed in OUTPUT_DIR/SETTING/seed_N, what is done
    already excepted; writes OUTPUT_DIR/comparison.csv and prints its table. Raises SlowFastExtError
    where what is done was done with another config.
    """
    refuse_torchrun("compare")
    seeds, settings = _seeds(args.seeds), _settings(args)
    output_dir = load_config(args.cfg, args.opts).OUTPUT_DIR
    configs = {
        name: [_config(args, f"{output_dir}/{_folder(name)}", words, seed) for seed in seeds]
        for name, words in settings.items()
    }
    for cfg in itertools.chain(*configs.values()):
        if not cfg.TEST.ENABLE:
            refuse(cfg, "TEST.ENABLE", "must be True: tests are what is compared")
        if _is_done(cfg):
            path = f"{cfg.OUTPUT_DIR}/results.json"
            check_same_results(path, read_results(cfg)["config"], cfg)
    scores = {name: [mean_ap(cfg) for cfg in of_seeds] for name, of_seeds in configs.items()}
    path = f"{output_dir}/comparison.csv"
    rows = [["setting", "seed", "mAP"]]
    for name, values in scores.items():
        rows += [[name, seed, value] for seed, value in zip(seeds, values, strict=True)]
    write_rows(path, rows)
    print(table(scores))
    print(f"wrote {path}", *_unequal_starts({name: cfgs[0] for name, cfgs in configs.items()}))


def _seeds(text):
    seeds = [int(word) if word.isdecimal() else None for word in text.split(",")]
    if None in seeds or len(set(seeds)) < len(seeds):
        raise SlowFastExtError(f"--seeds {text}: must be different numbers, as 1,2,3")
    return seeds


def _settings(args):
    """{name: KEY VALUE words}, in their order."""
    heads = [f"ACTIVITY.HEAD {head}" for head in args.heads.split(",") if head]
    texts = [*heads, *args.setting]
    if len(set(texts)) < max(2, len(texts)):
        raise SlowFastExtError(
            "there is nothing to compare: name two heads or settings or more, each once, as "
            '--heads PoolHead,ActivityHead or --setting "ACTIVITY.CORRELATION False"'
        )
    if len({_folder(text) for text in texts}) < len(texts):
        raise SlowFastExtError(f"{', '.join(texts)}: two of them would be one folder")
    try:
        return {text: shlex.split(text) for text in texts}
    except ValueError as error:
        raise SlowFastExtError(
            f"{', '.join(texts)}: {str(error).lower()} in one of them"
        ) from error


def _folder(name):
    return re.sub(r"[^A-Za-z0-9.-]+", "_", name)


def _config(args, folder, words, seed):
    own = ["RNG_SEED", str(seed), "OUTPUT_DIR", f"{folder}/seed_{seed}"]
    return checked_config(args.cfg, [*args.opts, *words, *own])


def _is_done(cfg):
    return pathmgr.exists(f"{cfg.OUTPUT_DIR}/results.json")


def mean_ap(cfg):
    """The mAP of a config's test, which is run where it is not there yet."""
    if not _is_done(cfg):
        launch(cfg, INIT_METHOD, engine.run)
    value = read_results(cfg)["mAP"]
    if value is None:
        raise SlowFastExtError(f"{cfg.OUTPUT_DIR}/results.json has no mAP: no label to measure by")
    return value


def _unequal_starts(configs):
    """One sentence where TRAIN.CHECKPOINT_FILE_PATH gives some heads a trained start, else none."""
    # Settings mostly start from one file, which is large.
    shares, read = {}, functools.cache(read_weights)
    for name, cfg in configs.items():
        path = cfg.TRAIN.CHECKPOINT_FILE_PATH
        # What another library publishes, by its name, has no head of these.
        if path and pathmgr.exists(path):
            state = read(path, cfg.TRAIN.CHECKPOINT_TYPE)
            shares[name] = started_share(cfg, network_of_shapes(cfg), state)
    if len({number / max(total, 1) for number, total in shares.values()}) > 1:
        told = ", ".join(f"{n} of {total} of {name}" for name, (n, total) in shares.items())
        yield (
            "\nnot on equal terms: of the heads' tensors TRAIN.CHECKPOINT_FILE_PATH gave, trained, "
            f"{told}; TRAIN.CHECKPOINT_CLEAR_NAME_PATTERN \"['head.']\" lets all begin anew"
        )


def table(scores):
    """
    {setting: mAP of each seed, in one order} -> lines of text: means and, of all but the first
    setting, differences from it seed by seed, with Student's 95 % intervals.
    """
    width = max(map(len, scores))
    first = next(iter(scores))
    lines = [
        f"{'':<{width}}  {'mAP':>6}  {'by seed':<{7 * len(scores[first]) - 1}}  minus the first"
    ]
    for name, values in scores.items():
        by_seed = " ".join(f"{value:.4f}" for value in values)
        line = f"{name:<{width}}  {interval(values).mean:.4f}  {by_seed}"
        if name != first:
            pairs = zip(values, scores[first], strict=True)
            mean, low, high = interval([ours - theirs for ours, theirs in pairs])
            line += f"  {mean:+.4f}" + (f" [{low:+.4f}, {high:+.4f}]" if low is not None else "")
        lines.append(line)
    return "\n".join(lines)
