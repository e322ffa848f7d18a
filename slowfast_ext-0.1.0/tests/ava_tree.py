"""A stand-in of the tree that `prepare ava` writes: two movies to train on, one to test on."""

import cv2
import numpy as np

HEIGHT, WIDTH, LENGTH = 48, 64, 180
# (second, box, actions) of every movie: 2 persons, 1, 3; two on the same second are two boxes.
PERSONS = [
    (902, (0.0, 0.1, 0.4, 0.9), (1, 3)),
    (902, (0.5, 0.1, 0.9, 0.9), (2,)),
    (903, (0.2, 0.2, 0.6, 1.0), (1, 2)),
    (904, (0.0, 0.0, 0.3, 0.9), (3,)),
    (904, (0.3, 0.0, 0.6, 0.9), (1,)),
    (904, (0.7, 0.1, 1.0, 0.9), (2, 3)),
]
NAMES = {1: "stand", 2: "sit", 3: "talk"}


def frame(number):
    """RGB: red tells the frame's number, green its column."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[..., 0] = number
    image[..., 1] = np.arange(WIDTH) * 3
    return image


def write_tree(root):
    """Writes frames/, frame_lists/ and annotations/ below `root`."""
    for split, movies in (("train", ["one", "two"]), ("val", ["three"])):
        lines = ["original_vido_id video_id frame_id path labels"]
        for movie in movies:
            (root / "frames" / movie).mkdir(parents=True, exist_ok=True)
            for number in range(LENGTH):
                name = f"{movie}/{movie}_{number + 1:06d}.png"
                path = root / "frames" / name
                cv2.imwrite(str(path), np.ascontiguousarray(frame(number)[..., ::-1]))
                lines.append(f'{movie} 0 {number} {name} ""')
        (root / "frame_lists").mkdir(exist_ok=True)
        (root / "frame_lists" / f"{split}.csv").write_text("\n".join(lines) + "\n")
        annotate(root / "annotations", split, movies)


def annotate(folder, split, movies):
    folder.mkdir(exist_ok=True)
    truth, persons = [], []
    for movie in movies:
        for number, (second, box, actions) in enumerate(PERSONS):
            place = f"{movie},{second:04d},{','.join(map(str, box))}"
            truth += [f"{place},{action},{number}" for action in actions]
            persons.append(f"{place},,0.95")
        persons.append(f"{movie},0903,0.1,0.1,0.2,0.2,,0.1")
    (folder / f"ava_{split}_v2.2.csv").write_text("\n".join(truth) + "\n")
    (folder / f"ava_{split}_predicted_boxes.csv").write_text("\n".join(persons) + "\n")
    items = [f'item {{\n  name: "{name}"\n  id: {number}\n}}\n' for number, name in NAMES.items()]
    (folder / "ava_action_list_v2.2_for_activitynet_2019.pbtxt").write_text("".join(items))


def options(root):
    """The keys that name the tree."""
    return {
        "DETECTION.ENABLE": "True",
        "TRAIN.DATASET": "ava",
        "TEST.DATASET": "ava",
        "MODEL.NUM_CLASSES": "3",
        "AVA.FRAME_DIR": str(root / "frames"),
        "AVA.FRAME_LIST_DIR": str(root / "frame_lists"),
        "AVA.ANNOTATION_DIR": str(root / "annotations"),
    }
