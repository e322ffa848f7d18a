"""The rows of the schema for where and how fast a run computes, and what it reports."""

from slowfast_ext.config import rules
from slowfast_ext.config.schema import (
    COURSE,
    IN_BOTH,
    IN_MAIN,
    MACHINE,
    NOTHING,
    RESULTS,
    Key,
    Main,
)

# main's own values.
_COMMON_CLASSES = [
    "watch (a person)",
    "talk to (e.g., self, a person, a group)",
    "listen to (a person)",
    "touch (an object)",
    "carry/hold (an object)",
    "walk",
    "sit",
    "lie/sleep",
    "bend/bow (at the waist)",
]
_DETECTRON2_WEIGHTS = (
    "detectron2://COCO-Detection/faster_rcnn_R_50_FPN_3x/137849458/model_final_280758.pkl"
)

RUN_KEYS = (
    Key("BENCHMARK", IN_MAIN, scope=NOTHING),
    Key("DATA_LOADER", IN_BOTH, scope=NOTHING),
    Key("DATA_LOADER.NUM_WORKERS", IN_BOTH, rules.not_negative),
    Key("DEMO", IN_MAIN, scope=NOTHING),
    Key("DEMO.BUFFER_SIZE", Main(0)),
    Key("DEMO.CLIP_VIS_SIZE", Main(10), rules.not_done),
    Key("DEMO.COMMON_CLASS_NAMES", Main(_COMMON_CLASSES)),
    Key("DEMO.COMMON_CLASS_THRES", Main(0.7), rules.fraction),
    Key("DEMO.DETECTRON2_CFG", Main("COCO-Detection/faster_rcnn_R_50_FPN_3x.yaml"), rules.not_done),
    Key("DEMO.DETECTRON2_THRESH", Main(0.9), rules.fraction),
    Key("DEMO.DETECTRON2_WEIGHTS", Main(_DETECTRON2_WEIGHTS)),
    Key("DEMO.DISPLAY_HEIGHT", Main(0), rules.not_negative),
    Key("DEMO.DISPLAY_WIDTH", Main(0), rules.not_negative),
    Key("DEMO.ENABLE", Main(False)),
    Key("DEMO.FPS", Main(30), rules.above_zero),
    Key("DEMO.GT_BOXES", Main(""), rules.not_done),
    Key("DEMO.INPUT_FORMAT", Main("BGR"), rules.not_done),
    Key("DEMO.INPUT_VIDEO", Main("")),
    Key("DEMO.LABEL_FILE_PATH", Main("")),
    Key("DEMO.NUM_CLIPS_SKIP", Main(0), rules.not_done),
    Key("DEMO.NUM_VIS_INSTANCES", Main(2)),
    Key("DEMO.OUTPUT_FILE", Main("")),
    Key("DEMO.OUTPUT_FPS", Main(-1)),
    Key("DEMO.PREDS_BOXES", Main("")),
    Key("DEMO.SLOWMO", Main(1), rules.not_done),
    Key("DEMO.STARTING_SECOND", Main(900)),
    Key("DEMO.THREAD_ENABLE", Main(False)),
    Key("DEMO.UNCOMMON_CLASS_THRES", Main(0.3), rules.fraction),
    Key("DEMO.VIS_MODE", Main("thres"), rules.one_of("thres", "top-k")),
    Key("DEMO.WEBCAM", Main(-1)),
    Key("DIST_BACKEND", IN_BOTH, scope=NOTHING),
    Key("LOG_MODEL_INFO", Main(True), scope=NOTHING),
    Key("LOG_PERIOD", IN_BOTH, rules.count(), NOTHING),
    Key("NUM_GPUS", IN_BOTH, scope=MACHINE),
    # TRAIN.BATCH_SIZE is one machine's, so that more of them have a larger batch.
    Key("NUM_SHARDS", IN_BOTH, rules.count(), COURSE | MACHINE),
    Key("OUTPUT_DIR", IN_BOTH, scope=NOTHING),
    Key("RNG_SEED", IN_BOTH, rules.seed, RESULTS),
    Key("SHARD_ID", IN_BOTH, scope=MACHINE),
    Key("TENSORBOARD", IN_MAIN, scope=NOTHING),
    Key("TENSORBOARD.CONFUSION_MATRIX.ENABLE", IN_MAIN, rules.not_done),
    Key("TENSORBOARD.ENABLE", Main(False), scope=MACHINE),
    Key("TENSORBOARD.HISTOGRAM.ENABLE", IN_MAIN, rules.not_done),
    Key("TENSORBOARD.LOG_DIR", Main("")),
    Key("TENSORBOARD.MODEL_VIS.ENABLE", IN_MAIN, rules.not_done),
    Key("TENSORBOARD.MODEL_VIS.TOPK_PREDS", Main(1)),
    Key("TENSORBOARD.WRONG_PRED_VIS.ENABLE", IN_MAIN, rules.not_done),
)
