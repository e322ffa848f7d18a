"""Every key that the project adds to PySlowFast's."""

from fvcore.common.config import CfgNode


def add_slowfast_ext_config(cfg):
    """Adds the project's keys, with the paper's values as defaults, to an upstream config."""
    # --- The network -----------------------------------------------------------------
    cfg.ACTIVITY = CfgNode()
    # Upstream's model class; empty: derived from MODEL.ARCH.
    cfg.ACTIVITY.BACKBONE = ""
    # Of ACTIVITY.BACKBONE CSN: "ip" (interaction-preserved) or "ir" (interaction-reduced).
    cfg.ACTIVITY.CSN_FORM = "ip"
    # The head, by its name in HEAD_REGISTRY.
    cfg.ACTIVITY.HEAD = "ActivityHead"
    # "default", or "as_printed": the paper's equations as they stand (docs/METHOD.md).
    cfg.ACTIVITY.FORM = "default"
    # K, the number of observations.
    cfg.ACTIVITY.NUM_OBSERVATIONS = 64
    # C', the channels of an observation and of an activity's features.
    cfg.ACTIVITY.DIM = 128
    # n, the groups of the observations' linear maps (eq. 13).
    cfg.ACTIVITY.GROUPS = 32
    # "shared": one classifier for all activities (eq. 9); "per_activity": one for each.
    cfg.ACTIVITY.CLASSIFIER = "shared"
    # Table 3c: with activity-specific features, or from the pooled map.
    cfg.ACTIVITY.ACTIVITY_FEATURES = True
    # Table 3c: with the second output, from correlated features.
    cfg.ACTIVITY.CORRELATION = True
    # The mask's source, in the form of a training list; empty: the training list itself.
    cfg.ACTIVITY.COOCCURRENCE_FILE = ""
    # Train the head alone, on a backbone as TRAIN.CHECKPOINT_FILE_PATH gives it.
    cfg.ACTIVITY.FREEZE_BACKBONE = False
    # The head's learning rate over the backbone's.
    cfg.ACTIVITY.LR_MULT = 1.0
    # The row of the paper's tables that a config reproduces; goes into results.json.
    cfg.ACTIVITY.TABLE_ROW = ""

    # --- Speed-invariant tuning (sec. 3.6) ---------------------------------------------
    cfg.TUNE = CfgNode()
    # After training, freeze the backbone and tune the head on clips of mixed rates.
    cfg.TUNE.ENABLE = False
    # Each clip's sampling rate is drawn from these.
    cfg.TUNE.RATES = [2, 4, 8]
    # I, the number of tuning iterations.
    cfg.TUNE.MAX_ITER = 10000
    # The first learning rate; it falls along half a cosine to zero.
    cfg.TUNE.BASE_LR = 0.0035

    # --- Testing -----------------------------------------------------------------------
    # Views of one video, each (sampling rate, clips, crops); empty: upstream's
    # NUM_ENSEMBLE_VIEWS x NUM_SPATIAL_CROPS at DATA.SAMPLING_RATE.
    cfg.TEST.VIEWS = []
    # A file of `fit-rates`: each activity's weights over the rates of TEST.VIEWS; empty: the
    # mean over all views, the paper's sum.
    cfg.TEST.RATE_WEIGHTS = ""
    # One view of the whole frame in place of a clip's crops, which overlap: less to compute.
    cfg.TEST.WHOLE_FRAME = False
    # "float32", or "bfloat16": faster where the processor computes in it, scores not quite equal.
    cfg.TEST.PRECISION = "float32"
    # Test, and validate, under torch.compile: compiling takes minutes, and anew for each shape
    # of inputs; where it fails, one warning, and the test goes on without.
    cfg.TEST.COMPILE = False

    # --- Data --------------------------------------------------------------------------
    # A training clip's labels: of the segments it touches ("clip") or all of its video's.
    cfg.DATA.TRAIN_LABELS = "clip"
    # Frames per second of folders of frames: what turns their frame numbers into seconds.
    cfg.DATA.FRAME_FOLDER_FPS = 24.0
    # Which of a list's paths may lead out of the folder that relative ones start at: "absolute"
    # ones, as in PySlowFast's lists; "none"; or "any", by .. and by links too.
    cfg.DATA.PATHS_OUTSIDE = "absolute"
    # Go on without the videos that cannot be decoded; results.json counts them.
    cfg.DATA.SKIP_BROKEN_VIDEOS = False

    # --- Objects and persons as further columns of F (Table 2) ----------------------------
    # Classes in DATA.PATH_TO_DATA_DIR's object_classes.txt, whose boxes stand in its
    # objects.csv; 0: no objects.
    cfg.OBJECTS = CfgNode()
    cfg.OBJECTS.NUM_CLASSES = 0
    # Boxes with a lower score are left out.
    cfg.OBJECTS.MIN_SCORE = 0.0

    # --- Detection (AVA) ------------------------------------------------------------------
    # What of a frame is tested: "full", or upstream's "centre" crop of DATA.TEST_CROP_SIZE.
    cfg.AVA.TEST_CROP = "full"

    # --- Volleyball (sec. 6) -----------------------------------------------------------------
    cfg.VOLLEYBALL = CfgNode()
    # "persons": each player's action; "clip": which actions there are; "group": the group's
    # activity, with DETECTION.ENABLE from the players' boxes and actions too (bb).
    cfg.VOLLEYBALL.TASK = "persons"
    # The weight of the players' loss beside the group's.
    cfg.VOLLEYBALL.PERSONS_WEIGHT = 1.0

    # --- The synthetic data set: each switch takes one property away ---------------------
    cfg.SYNTHETIC = CfgNode()
    # Training and test videos.
    cfg.SYNTHETIC.NUM_TRAIN = 400
    cfg.SYNTHETIC.NUM_TEST = 120
    # Pixels of a side of their frames.
    cfg.SYNTHETIC.SIZE = 80
    cfg.SYNTHETIC.SEED = 0
    # Several actors act at once; otherwise one, who does an activity.
    cfg.SYNTHETIC.SEVERAL_AT_ONCE = True
    # Actors of a video are at different places.
    cfg.SYNTHETIC.SEVERAL_PLACES = True
    # There are slow, normal and fast activities.
    cfg.SYNTHETIC.SEVERAL_SPEEDS = True
    # Some activities occur together, others exclude each other.
    cfg.SYNTHETIC.CORRELATED = True
    # Things move that are no activity.
    cfg.SYNTHETIC.DISTRACTORS = True
    # One actor a video, labelled with its motion and its ball: to train a backbone first.
    cfg.SYNTHETIC.PARTS = False
    # Slow and fast motions in pairs that rate 8 or rate 2 alone tells apart.
    cfg.SYNTHETIC.TWINS = False
    return cfg
