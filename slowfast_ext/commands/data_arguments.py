"""What the commands take that read annotations, labels and scores: prepare, evaluate, ..."""

# Those that several commands take.
_SHARED = {
    "--frame-base": {
        "type": int,
        "choices": (0, 1),
        "help": "the number of a video's first frame",
    },
    "--json": {"action": "store_true", "help": "print one JSON object"},
    "--seed": {"type": int, "default": 0, "metavar": "N", "help": "of the split"},
    "--test-share": {
        "type": float,
        "default": 0.2,
        "metavar": "X",
        "help": "of the videos (default 0.2)",
    },
    "--videos": {"required": True, "metavar": "DIR", "help": "holds the videos"},
}


def _add(parser, *names):
    for name in names:
        parser.add_argument(name, **_SHARED[name])


def _media_arguments(parser, annotations, videos, frames, out):
    """What matches annotations with media takes."""
    parser.add_argument("--annotations", required=True, metavar="DIR", help=annotations)
    parser.add_argument("--videos", metavar="DIR", help=videos)
    parser.add_argument("--frames", metavar="DIR", help=frames)
    parser.add_argument("--out", metavar="DIR", help=out)
    parser.add_argument(
        "--annotations-only", action="store_true", help="count without media; write nothing"
    )
    _add(parser, "--json")


def prepare_charades_arguments(parser):
    """What `prepare charades` takes."""
    _media_arguments(
        parser,
        annotations="holds Charades_v1_train.csv, Charades_v1_test.csv, Charades_v1_classes.txt",
        videos="holds ID.mp4 (Charades_v1_480)",
        frames="holds ID/ID-000001.jpg, 24 a second (Charades_v1_rgb)",
        out="gets classes.txt, train.csv and test.csv",
    )
    parser.add_argument(
        "--action-genome",
        metavar="DIR",
        help="holds object_bbox_and_relationship.pkl and person_bbox.pkl: objects for Table 2",
    )


def prepare_ava_arguments(parser):
    """What `prepare ava` takes."""
    _media_arguments(
        parser,
        annotations="holds ava_train_v2.2.csv, ava_val_v2.2.csv, their excluded timestamps and "
        "the action list, and ava_val_predicted_boxes.csv where there is one",
        videos="holds the movies, or their parts from second 900 on, as NAME.mp4, .mkv, ...",
        frames="holds NAME/NAME_000001.jpg, 30 a second from second 900 on",
        out="gets frames/, frame_lists/ and annotations/",
    )
    parser.add_argument(
        "--version", choices=("2.1", "2.2"), default="2.2", help="of the annotations (default: 2.2)"
    )
    parser.add_argument(
        "--start",
        type=int,
        metavar="SECOND",
        help="of a set of your own: the second that each video's first frame counts as, such as "
        "0, 1 or 900; every whole second from it on may be a keyframe (default: AVA's movies)",
    )


def prepare_volleyball_arguments(parser):
    """What `prepare volleyball` takes."""
    parser.add_argument(
        "--root",
        required=True,
        metavar="DIR",
        help="holds the videos by their numbers, or in videos/: V/annotations.txt and "
        "V/FRAME/NUMBER.jpg; tracklets, if any, in volleyball_tracking_annotation/",
    )
    parser.add_argument("--out", metavar="DIR", help="gets the lists and classes.txt")
    parser.add_argument(
        "--annotations-only", action="store_true", help="count without frames; write nothing"
    )
    _add(parser, "--json")


def prepare_boxes_arguments(parser):
    """What `prepare boxes` takes."""
    _add(parser, "--videos")
    parser.add_argument("--out", required=True, metavar="CSV", help="gets the boxes")
    parser.add_argument(
        "--weights",
        metavar="FILE",
        help="a state_dict of a torchvision Faster R-CNN, or a .pkl of detectron2 (default: "
        "downloaded, detectron2's where it is installed)",
    )
    parser.add_argument(
        "--min-score",
        type=float,
        default=0.05,
        metavar="SCORE",
        help="leave out boxes below it (default: 0.05)",
    )
    parser.add_argument(
        "--start",
        type=int,
        metavar="SECOND",
        help="the second that each video's first frame counts as; every whole second is then a "
        "keyframe (default: AVA's keyframes, 902 to 1798, where a video below 1,000 s counts as "
        "cut at second 900)",
    )
    _add(parser, "--json")


def add_label_arguments(parser):
    """How label files are read: what all commands that do so take."""
    _add(parser, "--videos")
    parser.add_argument(
        "--frames", metavar="PATTERN", help="which images of a folder are its frames: img_*.jpg"
    )
    parser.add_argument(
        "--label-columns", metavar="A,B", help="columns of labels, or of 0 and 1 for a label each"
    )
    parser.add_argument("--separator", metavar="X", help="what stands between labels in a field")
    parser.add_argument(
        "--class-names",
        metavar="FILE",
        help="names for labels that are numbers: NUMBER NAME or NAME,NUMBER a line",
    )
    parser.add_argument(
        "--subjects", metavar="A,B", help="the animals or persons whose labels count (default all)"
    )
    parser.add_argument(
        "--frame-rate",
        type=float,
        metavar="R",
        help="frames a second of times in frames, where the file does not say it",
    )
    _add(parser, "--frame-base")


def prepare_lists_arguments(parser):
    """What `prepare lists` takes."""
    add_label_arguments(parser)
    parser.add_argument(
        "--labels",
        required=True,
        metavar="PATH",
        help="file, or folder of files, that says what they show",
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="gets the lists")
    how = parser.add_mutually_exclusive_group()
    _add(how, "--test-share")
    how.add_argument(
        "--split-column", metavar="NAME", help="the column that says train, val or test"
    )
    parser.add_argument(
        "--labelled-spans",
        metavar="CSV",
        help="video,start,end of the time that was labelled: outside of it all labels are unknown",
    )
    _add(parser, "--seed", "--json")


def label_check_arguments(parser):
    """What `label-check` takes."""
    parser.add_argument("labels", metavar="LABELS", help="of any form that `prepare lists` reads")
    parser.add_argument(
        "second", nargs="?", metavar="SECOND", help="the same videos, labelled by somebody else"
    )
    add_label_arguments(parser)
    parser.add_argument(
        "--min-positives", type=int, default=10, metavar="N", help="of a class (default 10)"
    )
    parser.add_argument(
        "--gap",
        default="0.5",
        metavar="SECONDS",
        help="shorter ones between two spans of a label are told (default 0.5)",
    )
    parser.add_argument(
        "--step",
        default="0.1",
        metavar="SECONDS",
        help="of the grid of moments at which two labellers are compared (default 0.1)",
    )
    _add(parser, "--json")


def summary_arguments(parser):
    """What `summary` takes."""
    parser.add_argument(
        "spans",
        metavar="SPANS",
        help="what `predict` wrote, or labels of any form that `prepare lists` reads",
    )
    add_label_arguments(parser)
    parser.add_argument("--out", required=True, metavar="DIR", help="gets the tables and pictures")


def prepare_tracks_arguments(parser):
    """What `prepare tracks` takes."""
    _add(parser, "--videos")
    parser.add_argument(
        "--tracks",
        required=True,
        metavar="PATH",
        help="CVAT's XML, VIA 3's or MOT's tracks, or a folder of them",
    )
    parser.add_argument(
        "--out", required=True, metavar="DIR", help="gets annotations, or clips/ and labels.csv"
    )
    parser.add_argument(
        "--mini-scenes",
        type=int,
        metavar="PIXELS",
        help="write clips that follow a subject each, in squares of this size, not annotations",
    )
    parser.add_argument(
        "--labels",
        metavar="PATH",
        help="what the subjects do, where the tracks do not say it: any form of `prepare lists` "
        "that names subjects, as the tracks name them (default: the tracks' own labels)",
    )
    parser.add_argument(
        "--label-columns",
        metavar="A,B",
        help="attributes or columns, of --labels where it is given, that say what happens; label: "
        "the boxes' own label",
    )
    parser.add_argument("--separator", metavar="X", help="between labels in an attribute (;)")
    parser.add_argument(
        "--subject", metavar="NAME", help="the attribute that says whose box it is, as in VIA's"
    )
    _add(parser, "--frame-base")
    _add(parser, "--test-share", "--seed", "--json")


def evaluate_charades_arguments(parser):
    """What `evaluate charades` takes."""
    parser.add_argument("--ground-truth", required=True, metavar="CSV", help="Charades_v1_test.csv")
    parser.add_argument(
        "--predictions",
        required=True,
        metavar="FILE",
        help="the official form (id s1 ... s157), or a predictions.csv",
    )
    parser.add_argument("--classes", metavar="FILE", help="Charades_v1_classes.txt, for names")
    parser.add_argument("--csv", metavar="FILE", help="write the average precision per class")
    parser.add_argument(
        "--write-submission", metavar="FILE", help="write the scores in the official form"
    )
    parser.add_argument("--strict", action="store_true", help="refuse where videos have no scores")
    parser.add_argument("--json", action="store_true", help="one JSON object and nothing else")


def evaluate_ava_arguments(parser):
    """What `evaluate ava` takes."""
    parser.add_argument(
        "--ground-truth",
        required=True,
        metavar="CSV",
        help="video,second,x1,y1,x2,y2,action[,person], such as ava_val_v2.2.csv",
    )
    parser.add_argument(
        "--detections", required=True, metavar="CSV", help="video,second,x1,y1,x2,y2,action,score"
    )
    parser.add_argument(
        "--labelmap", required=True, metavar="FILE", help="the classes: AVA's .pbtxt or a text list"
    )
    parser.add_argument("--exclusions", metavar="CSV", help="video,second: keyframes to leave out")
    parser.add_argument(
        "--protocol",
        choices=("official", "pyslowfast"),
        default="official",
        help="official (default): the 50 highest scores of a keyframe, on keyframes of the ground "
        "truth; pyslowfast: all",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object and nothing else")
