"""
The schema: one row a key, with its default, what it may be, and what it changes.

Every key that the project adds to PySlowFast's has a row, and every key of PySlowFast's that
the project has more to say of than PySlowFast does.
"""

from slowfast_ext import upstream_config
from slowfast_ext.config import rules
from slowfast_ext.config.run_keys import RUN_KEYS
from slowfast_ext.config.schema import (
    COURSE,
    HEAD,
    IN_BOTH,
    IN_MAIN,
    IN_PYPI,
    MACHINE,
    NETWORK,
    NOTHING,
    RESULTS,
    SCORES,
    SECTION,
    TRAINING,
    TUNING,
    Key,
    Main,
)

# Of upstream's losses those that compare logits with labels, and no network's own targets; ours.
_UPSTREAM_LOSSES = ("bce", "bce_logit", "cross_entropy", "soft_cross_entropy")
_LOSSES = rules.one_of(*_UPSTREAM_LOSSES, "focal", "asymmetric", "equalization")
_GAMMAS = rules.must(
    "be two numbers, for positives and negatives, each 0, or 1 or more",
    lambda gammas: len(gammas) == 2 and not any(rules.focusing(gamma, None) for gamma in gammas),
)
# A test of main's sub_batchnorm needs its statistics gathered first.
_NORM_TYPE = rules.both(rules.one_of("batchnorm", "sync_batchnorm"), rules.needs_main)

KEYS = (
    # Modules of one's own, which register heads and the like; imported first (docs/EXTENDING.md).
    Key("PLUGINS", [], rules.modules, HEAD),
    #
    # --- The network ------------------------------------------------------------------------
    Key("ACTIVITY", SECTION, scope=NETWORK),
    # Upstream's model class, or another library's network: torchvision:NAME, transformers:PATH or
    # timm:NAME (docs/BACKBONES.md); empty: derived from MODEL.ARCH.
    Key("ACTIVITY.BACKBONE", ""),
    # Of another library's network the stage whose map the head gets, counted from the first; 0: the
    # last. An earlier one has more columns.
    Key("ACTIVITY.STAGE", 0, rules.not_negative),
    # For ACTIVITY.BACKBONE CSN: "ip" (interaction-preserved) or "ir" (interaction-reduced).
    Key("ACTIVITY.CSN_FORM", "ip", rules.one_of("ip", "ir")),
    # The head, by its name in HEAD_REGISTRY.
    Key("ACTIVITY.HEAD", "ActivityHead", scope=HEAD),
    # "default", or "as_printed": the paper's equations as they stand (docs/METHOD.md).
    Key("ACTIVITY.FORM", "default", rules.one_of("default", "as_printed"), HEAD),
    # K, the number of observations.
    Key("ACTIVITY.NUM_OBSERVATIONS", 64, rules.count(), HEAD),
    # C', the channels of an observation and of an activity's features.
    Key("ACTIVITY.DIM", 128, rules.count(), HEAD),
    # n, the groups of the observations' linear maps (eq. 13).
    Key("ACTIVITY.GROUPS", 32, rules.count(), HEAD),
    # "shared": one classifier for all activities (eq. 9); "per_activity": one for each.
    Key("ACTIVITY.CLASSIFIER", "shared", rules.one_of("shared", "per_activity"), HEAD),
    # With activity-specific features, or a linear map of the pooled features for each activity.
    Key("ACTIVITY.ACTIVITY_FEATURES", True, scope=HEAD),
    # Table 3c: with the second output, from correlated features.
    Key("ACTIVITY.CORRELATION", True, scope=HEAD),
    # ActivityHead's default form's alone, as the next three: F's columns through a linear layer
    # to so many channels and a ReLU, before all else; 0: as they are.
    Key("ACTIVITY.COLUMN_DIM", 0, rules.not_negative, HEAD),
    # F_AC = F_A + gamma Corr F_A, gamma learned, from zero.
    Key("ACTIVITY.RESIDUAL_CORRELATION", False, scope=HEAD),
    # Logits of every position, pooled by log-mean-exp, on both outputs.
    Key("ACTIVITY.EVIDENCE", False, scope=HEAD),
    # Its A x C weights as a product of A x R and R x C; 0: as they are.
    Key("ACTIVITY.EVIDENCE_RANK", 0, rules.not_negative, HEAD),
    # The default form's alone, for DETECTION.ENABLE: the whole frame's columns beside a person's.
    Key("ACTIVITY.CONTEXT", False, scope=HEAD),
    # The mask's source, in the form of a training list; empty: the training list itself.
    Key("ACTIVITY.COOCCURRENCE_FILE", "", scope=RESULTS),
    # Train the head alone, on a backbone as TRAIN.CHECKPOINT_FILE_PATH gives it.
    Key("ACTIVITY.FREEZE_BACKBONE", False, scope=TRAINING),
    # The head's learning rate over the backbone's.
    Key("ACTIVITY.LR_MULT", 1.0, rules.above_zero, TRAINING),
    # The row of the paper's tables that a config reproduces; goes into results.json.
    Key("ACTIVITY.TABLE_ROW", "", scope=NOTHING),
    #
    Key("MODEL", IN_BOTH, scope=NETWORK),
    # Compute a backbone's activations twice rather than keep them: less memory, more time.
    Key("MODEL.ACT_CHECKPOINT", Main(False), scope=RESULTS),
    Key("MODEL.DETACH_FINAL_FC", Main(False), rules.not_done),
    # Stochastic depth: the share of clips that skip the last block, and of others fewer; 0.0: as
    # the network's library builds it.
    Key("MODEL.DROPCONNECT_RATE", Main(0.0), rules.dropout, RESULTS),
    Key("MODEL.DROPOUT_RATE", IN_BOTH, rules.dropout, RESULTS),
    Key("MODEL.FC_INIT_STD", IN_BOTH, scope=RESULTS),
    Key("MODEL.FP16_ALLREDUCE", IN_MAIN, rules.not_done),
    Key("MODEL.FROZEN_BN", Main(False), scope=RESULTS),
    Key("MODEL.HEAD_ACT", Main("softmax"), rules.one_of("sigmoid", "softmax"), HEAD),
    Key("MODEL.LOSS_FUNC", IN_BOTH, _LOSSES, RESULTS),
    Key("MODEL.MODEL_NAME", Main("SlowFast")),
    Key("MODEL.MULTI_PATHWAY_ARCH", IN_BOTH, scope=RESULTS),
    Key("MODEL.NUM_CLASSES", IN_BOTH, rules.count(), HEAD),
    Key("MODEL.SINGLE_PATHWAY_ARCH", IN_BOTH, scope=RESULTS),
    Key("NONLOCAL", IN_BOTH, scope=NETWORK),
    Key("RESNET", IN_BOTH, scope=NETWORK),
    Key("RESNET.INPLACE_RELU", IN_BOTH, scope=RESULTS),
    Key("RESNET.ZERO_INIT_FINAL_BN", IN_BOTH, scope=RESULTS),
    Key("RESNET.ZERO_INIT_FINAL_CONV", IN_MAIN, scope=RESULTS),
    Key("SLOWFAST", IN_BOTH, scope=NETWORK),
    Key("SLOWFAST.ALPHA", IN_BOTH, rules.count()),
    Key("SLOWFAST.BETA_INV", IN_BOTH, rules.count()),
    Key("X3D", IN_MAIN, scope=NETWORK),
    #
    Key("BN", IN_BOTH, scope=RESULTS),
    Key("BN.EPSILON", IN_PYPI, rules.above_zero),
    Key("BN.MOMENTUM", IN_PYPI, rules.fraction),
    Key("BN.NORM_TYPE", Main("batchnorm"), _NORM_TYPE, RESULTS | MACHINE),
    Key("BN.NUM_BATCHES_PRECISE", IN_BOTH, rules.count()),
    Key("BN.NUM_SPLITS", Main(1)),
    Key("BN.NUM_SYNC_DEVICES", Main(1)),
    Key("BN.WEIGHT_DECAY", IN_BOTH, rules.not_negative),
    #
    # --- Objects and persons as further columns of F (Table 2) -------------------------------
    # Classes in DATA.PATH_TO_DATA_DIR's object_classes.txt, whose boxes stand in its
    # objects.csv; 0: no objects.
    Key("OBJECTS", SECTION, scope=NETWORK),
    Key("OBJECTS.NUM_CLASSES", 0, rules.not_negative),
    # Boxes with a lower score are left out.
    Key("OBJECTS.MIN_SCORE", 0.0),
    #
    # --- Training ----------------------------------------------------------------------------
    Key("TRAIN", IN_BOTH, scope=TRAINING),
    Key("TRAIN.AUTO_RESUME", IN_BOTH, scope=NOTHING),
    Key("TRAIN.BATCH_SIZE", IN_BOTH, rules.count()),
    Key("TRAIN.CHECKPOINT_CLEAR_NAME_PATTERN", Main(()), rules.parts_of_names),
    Key("TRAIN.CHECKPOINT_EPOCH_RESET", Main(False)),
    # Weights of other shapes, which main turns into the network's, are refused.
    Key("TRAIN.CHECKPOINT_IN_INIT", IN_MAIN),
    Key("TRAIN.CHECKPOINT_PERIOD", IN_BOTH, rules.count(), NOTHING),
    Key("TRAIN.CHECKPOINT_TYPE", IN_BOTH, rules.one_of("pytorch", "caffe2")),
    # TRAIN.BATCH_SIZE is that of all machines together; where their GPUs do not share it evenly,
    # the next multiple is taken, and learning rates grow with it (docs/OPERATIONS.md).
    Key("TRAIN.FIT_BATCH_SIZE", False, scope=COURSE),
    # Ends training after so many iterations, if SOLVER.MAX_EPOCH does not before; 0: no such end.
    Key("TRAIN.MAX_ITER", 0, rules.not_negative),
    Key("TRAIN.ENABLE", IN_BOTH, scope=NOTHING),
    Key("TRAIN.EVAL_PERIOD", IN_BOTH, rules.count(), NOTHING),
    Key("TRAIN.KILL_LOSS_EXPLOSION_FACTOR", IN_MAIN, rules.not_done),
    # Videos with an activity of a lower frequency than this come more often, by the root of how
    # much rarer it is; an epoch has as many clips as ever. 0.0: each video comes once.
    Key("TRAIN.REPEAT_THRESHOLD", 0.0, rules.fraction),
    Key("TRAIN.MIXED_PRECISION", Main(False), scope=TRAINING | MACHINE),
    #
    # What MODEL.LOSS_FUNC counts (docs/METHOD.md#losses).
    Key("LOSS", SECTION, scope=TRAINING),
    # Positives of an activity weigh as much as its negatives among the training labels, but no more
    # than so many times as much; 0.0: all weigh alike.
    Key("LOSS.POS_WEIGHT", 0.0, rules.not_negative),
    # The share of a label that is spread evenly: over yes and no or, for a softmax, all classes.
    Key("LOSS.LABEL_SMOOTHING", 0.0, rules.dropout),
    # "focal": torchvision's alpha (below 0: none) and gamma.
    Key("LOSS.FOCAL_ALPHA", 0.25, rules.must("be at most 1", lambda alpha: alpha <= 1)),
    Key("LOSS.FOCAL_GAMMA", 2.0, rules.focusing),
    # "asymmetric": gamma of positives and of negatives, and the probability up to which negatives
    # cost nothing.
    Key("LOSS.ASYMMETRIC_GAMMAS", [0.0, 4.0], _GAMMAS),
    Key("LOSS.ASYMMETRIC_MARGIN", 0.05, rules.dropout),
    # "equalization": the frequency below which an activity is rare, and the share of a rare one's
    # negatives that is left out where another activity happens.
    Key("LOSS.EQUALIZATION_FREQUENCY", 0.05, rules.fraction),
    Key("LOSS.EQUALIZATION_SHARE", 0.9, rules.fraction),
    #
    Key("SOLVER", IN_BOTH, scope=TRAINING),
    Key("SOLVER.BASE_LR", IN_BOTH, rules.not_negative),
    Key("SOLVER.BASE_LR_SCALE_NUM_SHARDS", Main(False)),
    Key("SOLVER.BETAS", Main((0.9, 0.999))),
    Key("SOLVER.CLIP_GRAD_L2NORM", Main(None), rules.clipping),
    Key("SOLVER.CLIP_GRAD_VAL", Main(None), rules.clipping),
    Key("SOLVER.COSINE_AFTER_WARMUP", Main(False), rules.needs_main),
    Key("SOLVER.COSINE_END_LR", Main(0.0), rules.both(rules.not_negative, rules.needs_main)),
    # The share that a running average of the weights keeps of itself in a step (0.999): the average
    # is what is validated, tested and tuned; 0.0: the weights themselves.
    Key("SOLVER.EMA", 0.0, rules.dropout),
    Key("SOLVER.LARS_ON", Main(False), rules.not_done),
    # What a layer's learning rate is multiplied with for each layer above it (main: MViT's alone).
    Key("SOLVER.LAYER_DECAY", Main(1.0), rules.must("lie in (0, 1]", lambda x: 0 < x <= 1)),
    Key("SOLVER.MAX_EPOCH", IN_BOTH, rules.count()),
    Key("SOLVER.OPTIMIZING_METHOD", IN_BOTH, rules.one_of("sgd", "adam", "adamw")),
    # 1.0 has a whole number here and would refuse the stock files' 34.0.
    Key("SOLVER.WARMUP_EPOCHS", Main(0.0), rules.not_negative),
    Key("SOLVER.WARMUP_START_LR", IN_BOTH, rules.not_negative),
    Key("SOLVER.WEIGHT_DECAY", IN_BOTH, rules.not_negative),
    Key("SOLVER.ZERO_WD_1D_PARAM", Main(False)),
    #
    # --- Speed-invariant tuning (sec. 3.6) ----------------------------------------------------
    Key("TUNE", SECTION, scope=TUNING),
    # After training, freeze the backbone and tune the head on clips of mixed rates.
    Key("TUNE.ENABLE", False),
    # Each clip's sampling rate is drawn from these.
    Key("TUNE.RATES", [2, 4, 8], rules.rates),
    # I, the number of tuning iterations.
    Key("TUNE.MAX_ITER", 10000, rules.count()),
    # The first learning rate; it falls along half a cosine to zero.
    Key("TUNE.BASE_LR", 0.0035, rules.above_zero),
    #
    # --- Testing ------------------------------------------------------------------------------
    Key("TEST", IN_BOTH, scope=SCORES),
    Key("TEST.BATCH_SIZE", IN_BOTH, rules.count()),
    Key("TEST.CHECKPOINT_FILE_PATH", IN_BOTH, scope=NOTHING),
    Key("TEST.CHECKPOINT_TYPE", IN_BOTH, rules.one_of("pytorch", "caffe2"), NOTHING),
    Key("TEST.ENABLE", IN_BOTH, scope=NOTHING),
    Key("TEST.NUM_ENSEMBLE_VIEWS", IN_BOTH, rules.frames),
    Key("TEST.NUM_SPATIAL_CROPS", IN_BOTH, rules.frames),
    Key("TEST.NUM_TEMPORAL_CLIPS", IN_MAIN, rules.not_done),
    Key("TEST.SAVE_RESULTS_PATH", Main(""), scope=NOTHING),
    # Views of one video, each (sampling rate, clips, crops); empty: upstream's
    # NUM_ENSEMBLE_VIEWS x NUM_SPATIAL_CROPS at DATA.SAMPLING_RATE.
    Key("TEST.VIEWS", [], rules.views),
    # A file of `fit-rates`: each activity's weights over the rates of TEST.VIEWS; empty: the
    # mean over all views, the paper's sum.
    Key("TEST.RATE_WEIGHTS", ""),
    # One view of the whole frame in place of a clip's crops, which overlap: less to compute.
    Key("TEST.WHOLE_FRAME", False),
    # "float32", or "bfloat16": faster where the processor computes in it, scores not quite equal.
    Key("TEST.PRECISION", "float32", rules.one_of("float32", "bfloat16"), SCORES | MACHINE),
    #
    # --- Data ---------------------------------------------------------------------------------
    Key("DATA", IN_BOTH, scope=RESULTS),
    Key("DATA.COLOR_RND_GRAYSCALE", IN_MAIN, rules.not_done),
    Key("DATA.DECODING_BACKEND", Main("torchvision")),
    Key("DATA.DUMMY_LOAD", IN_MAIN, rules.not_done),
    Key("DATA.ENSEMBLE_METHOD", Main("sum"), rules.one_of("sum", "max"), COURSE | SCORES),
    Key("DATA.INPUT_CHANNEL_NUM", IN_BOTH, scope=NETWORK),
    Key("DATA.INV_UNIFORM_SAMPLE", Main(False)),
    Key("DATA.MEAN", IN_BOTH, rules.channels, NETWORK),
    Key("DATA.MULTI_LABEL", Main(False)),
    Key("DATA.NUM_FRAMES", IN_BOTH, rules.count(rules.MOST_FRAMES)),
    Key("DATA.RANDOM_FLIP", Main(True)),
    Key("DATA.REVERSE_INPUT_CHANNEL", Main(False), scope=NETWORK),
    Key("DATA.SAMPLING_RATE", IN_BOTH, rules.count(rules.MOST_FRAMES)),
    Key("DATA.SSL_COLOR_JITTER", IN_MAIN, rules.not_done),
    Key("DATA.STD", IN_BOTH, rules.deviations, NETWORK),
    Key("DATA.TARGET_FPS", Main(30), rules.not_negative),
    Key("DATA.TEST_CROP_SIZE", IN_BOTH, rules.count(rules.MOST_PIXELS), COURSE | SCORES),
    Key("DATA.TRAIN_CROP_NUM_SPATIAL", IN_MAIN, rules.not_done),
    Key("DATA.TRAIN_CROP_NUM_TEMPORAL", IN_MAIN, rules.not_done),
    Key("DATA.TRAIN_CROP_SIZE", IN_BOTH, rules.count(rules.MOST_PIXELS)),
    # Training crops of any aspect and share of the frame, from frames of the smallest of
    # TRAIN_JITTER_SCALES, in place of squares: both or none.
    Key("DATA.TRAIN_JITTER_ASPECT_RELATIVE", IN_MAIN, rules.no_range_or(rules.above_zero)),
    Key("DATA.TRAIN_JITTER_FPS", IN_MAIN, rules.not_done),
    Key("DATA.TRAIN_JITTER_MOTION_SHIFT", IN_MAIN, rules.not_done),
    Key("DATA.TRAIN_JITTER_SCALES_RELATIVE", IN_MAIN, rules.no_range_or(rules.share)),
    # True is what this package does anyhow: a test's clips lie from a video's start to its end.
    Key("DATA.USE_OFFSET_SAMPLING", IN_MAIN),
    # TRAIN.DATASET and TEST.DATASET are PySlowFast's own where it has one of the name too: slower.
    Key("DATA.UPSTREAM_DATASETS", False),
    # A training clip's labels: of the segments it touches ("clip") or all of its video's.
    Key("DATA.TRAIN_LABELS", "clip", rules.one_of("clip", "video")),
    # Frames per second of folders of frames: what turns their frame numbers into seconds.
    Key("DATA.FRAME_FOLDER_FPS", 24.0, rules.above_zero),
    # Which of a list's paths may lead out of the folder that relative ones start at: "absolute"
    # ones, as in PySlowFast's lists; "none"; or "any", by .. and by links too.
    Key("DATA.PATHS_OUTSIDE", "absolute", rules.one_of("none", "absolute", "any"), NOTHING),
    # Show pixels that are not square as wide as they are meant; False: as wide as they are stored,
    # as PySlowFast does.
    Key("DATA.PIXEL_ASPECT", True, scope=NETWORK),
    # The folder in which what was found of video files is kept for later runs; empty: video_index
    # beside OUTPUT_DIR, where that is a folder; "none": in each process's memory alone.
    Key("DATA.INDEX_CACHE", "", rules.local_folder, NOTHING),
    # Labels that were renamed since a checkpoint was trained, each as "old=new".
    Key("DATA.RENAMED_CLASSES", [], rules.renames, NOTHING),
    # Go on without the videos that cannot be decoded; results.json counts them.
    Key("DATA.SKIP_BROKEN_VIDEOS", False, scope=NOTHING),
    #
    Key("AUG", IN_MAIN, scope=TRAINING),
    # RandAugment and erased rectangles, on training clips.
    Key("AUG.ENABLE", Main(False), rules.needs_main),
    Key("AUG.AA_TYPE", IN_MAIN, rules.rand_augment),
    Key("AUG.GEN_MASK_LOADER", IN_MAIN, rules.not_done),
    # Upstream takes any other word for bilinear.
    Key("AUG.INTERPOLATION", IN_MAIN, rules.one_of("bilinear", "bicubic", "random")),
    # Clips of a video in a batch, cut and changed each by itself.
    Key("AUG.NUM_SAMPLE", IN_MAIN, rules.count()),
    Key("AUG.RE_COUNT", IN_MAIN, rules.count()),
    Key("AUG.RE_MODE", IN_MAIN, rules.one_of("const", "rand", "pixel")),
    Key("AUG.RE_PROB", IN_MAIN, rules.fraction),
    Key("CONTRASTIVE", IN_MAIN, scope=TRAINING),
    Key("MASK", IN_MAIN, scope=TRAINING),
    Key("MASK.ENABLE", IN_MAIN, rules.not_done),
    Key("MIXUP", IN_MAIN, scope=TRAINING),
    # MixUp and CutMix of the clips of a training batch, and of their labels.
    Key("MIXUP.ENABLE", Main(False), rules.needs_main),
    Key("MIXUP.ALPHA", IN_MAIN, rules.not_negative),
    Key("MIXUP.CUTMIX_ALPHA", IN_MAIN, rules.not_negative),
    Key("MIXUP.LABEL_SMOOTH_VALUE", IN_MAIN, rules.dropout),
    Key("MIXUP.PROB", IN_MAIN, rules.fraction),
    Key("MIXUP.SWITCH_PROB", IN_MAIN, rules.fraction),
    Key("MULTIGRID", IN_MAIN, scope=TRAINING),
    Key("MULTIGRID.LONG_CYCLE", Main(False), rules.not_done),
    Key("MULTIGRID.SHORT_CYCLE", Main(False), rules.not_done),
    Key("MVIT", IN_MAIN, scope=NETWORK),
    Key("MVIT.DROPOUT_RATE", IN_MAIN, scope=RESULTS),
    Key("MVIT.DROPPATH_RATE", IN_MAIN, scope=RESULTS),
    Key("MVIT.ZERO_DECAY_POS_CLS", IN_MAIN, scope=TRAINING),
    Key("TASK", Main(""), rules.not_done, TRAINING),
    Key("VIS_MASK", IN_MAIN, scope=TRAINING),
    Key("VIS_MASK.ENABLE", IN_MAIN, rules.not_done),
    #
    # --- A frozen backbone's maps, computed once (`python -m slowfast_ext extract`) -------------
    Key("FEATURES", SECTION, scope=NOTHING),
    # The folder of the maps, read in place of the videos; empty: videos are read.
    Key("FEATURES.PATH", ""),
    # Training clips that are extracted of each video: those of so many epochs at most, which then
    # come again.
    Key("FEATURES.CLIPS", 10, rules.count()),
    # How extracted maps are stored.
    Key("FEATURES.DTYPE", "float16", rules.one_of("float16", "bfloat16", "float32")),
    #
    # --- Detection (AVA) ----------------------------------------------------------------------
    Key("DETECTION", IN_BOTH, scope=NETWORK),
    Key("AVA", IN_BOTH, scope=RESULTS),
    Key("AVA.BGR", IN_BOTH, scope=NETWORK),
    Key("AVA.EXCLUSION_FILE", IN_BOTH, scope=SCORES),
    Key("AVA.FULL_TEST_ON_VAL", IN_BOTH, scope=SCORES),
    Key("AVA.GROUNDTRUTH_FILE", IN_BOTH, scope=SCORES),
    # What of a frame is tested: "full", or upstream's "centre" crop of DATA.TEST_CROP_SIZE.
    # "square" is all of a frame too, squeezed to DATA.TEST_CROP_SIZE on both sides, boxes as well.
    Key("AVA.TEST_CROP", "full", rules.one_of("full", "centre", "square"), SCORES),
    Key("AVA.TEST_FORCE_FLIP", IN_BOTH, rules.not_done),
    Key("AVA.TEST_LISTS", IN_BOTH, scope=SCORES),
    Key("AVA.TEST_PREDICT_BOX_LISTS", IN_BOTH, scope=SCORES),
    Key("AVA.TRAIN_USE_COLOR_AUGMENTATION", IN_BOTH, rules.not_done),
    #
    # --- Volleyball (sec. 6) ------------------------------------------------------------------
    Key("VOLLEYBALL", SECTION, scope=RESULTS),
    # "persons": each player's action; "clip": which actions there are; "group": the group's
    # activity, with DETECTION.ENABLE from the players' boxes and actions too (bb).
    Key("VOLLEYBALL.TASK", "persons", rules.one_of("persons", "clip", "group")),
    # The weight of the players' loss beside the group's.
    Key("VOLLEYBALL.PERSONS_WEIGHT", 1.0, rules.not_negative),
    #
    # --- The synthetic data set: each switch takes one property away --------------------------
    Key("SYNTHETIC", SECTION, scope=RESULTS),
    # Training and test videos.
    Key("SYNTHETIC.NUM_TRAIN", 400, rules.count()),
    Key("SYNTHETIC.NUM_TEST", 120, rules.count()),
    # Pixels of a side of their frames.
    Key("SYNTHETIC.SIZE", 80, rules.count(rules.MOST_PIXELS)),
    Key("SYNTHETIC.SEED", 0),
    # Several actors act at once; otherwise one, who does an activity.
    Key("SYNTHETIC.SEVERAL_AT_ONCE", True),
    # Actors of a video are at different places.
    Key("SYNTHETIC.SEVERAL_PLACES", True),
    # There are slow, normal and fast activities.
    Key("SYNTHETIC.SEVERAL_SPEEDS", True),
    # Some activities occur together, others exclude each other.
    Key("SYNTHETIC.CORRELATED", True),
    # Things move that are no activity.
    Key("SYNTHETIC.DISTRACTORS", True),
    # One actor a video, labelled with its motion and its ball: to train a backbone first.
    Key("SYNTHETIC.PARTS", False),
    # Slow and fast motions in pairs that rate 8 or rate 2 alone tells apart.
    Key("SYNTHETIC.TWINS", False),
    # How many times as often the most frequent activity occurs in training videos as the rarest
    # (a long tail); 1.0: all as often, as in the test's videos whatever this is.
    Key("SYNTHETIC.IMBALANCE", 1.0, rules.must("be at least 1", lambda ratio: ratio >= 1)),
    *RUN_KEYS,
)

_ROWS = {key.name: key for key in KEYS}

# Keys of earlier versions, which runs of their time still name, and a section that stock files of
# SSv2 name, which main itself no longer has: without effect, with a warning.
GONE = ("TEST.COMPILE", "VOLLEYBALL.NUM_ACTIONS", "PREFETCH")


def add_slowfast_ext_config(cfg):
    """
    Adds the project's keys, with the paper's values as defaults, to an upstream config; over 1.0
    those of main that stock files set, too.
    """
    for key in KEYS:
        key.add_to(cfg)
    for name in GONE:
        # fvcore asserts that a key was not registered before.
        if not cfg.key_is_deprecated(name):
            cfg.register_deprecated_key(name)
    return cfg


def default_config():
    """The defaults of all keys, upstream's and ours."""
    return add_slowfast_ext_config(upstream_config.base_config())


def scope_of(key):
    """What a key's value changes: as its row says, or its section's; a plug-in's all there is."""
    while key:
        row = _ROWS.get(key)
        if row and row.scope is not None:
            return row.scope
        key, _, _ = key.rpartition(".")
    return NETWORK | TUNING


def keys_of(scope):
    """The names of the keys whose own rows have all of a scope."""
    return [key.name for key in KEYS if key.scope is not None and scope in key.scope]


def check_keys(cfg, defaults, names=_ROWS):
    """Raises SlowFastExtError, one sentence, where a key's value breaks its rule."""
    for name in names:
        _ROWS[name].check(cfg, defaults)
