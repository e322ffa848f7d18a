"""Every reader of files, each with valid files to damage."""

import io
import json
import pickle
from collections import namedtuple
from functools import partial
from pathlib import Path

import av
import cv2
import numpy as np
import torch

from slowfast_ext.config.compare import check_same_config
from slowfast_ext.datasets import ava_annotations, ava_frames, charades, charades_annotations
from slowfast_ext.datasets import volleyball_annotations as volleyball
from slowfast_ext.datasets.lists import read_class_names, read_list
from slowfast_ext.datasets.object_boxes import read_objects
from slowfast_ext.datasets.video import open_video
from slowfast_ext.datasets.views import clip_of_video
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.engine.weights import read_checkpoint, read_weights
from slowfast_ext.evaluation.charades import read_scores
from slowfast_ext.evaluation.predictions import read_predictions
from slowfast_ext.evaluation.rate_weights import read_rate_weights
from slowfast_ext.paper.results import read_result
from slowfast_ext.predict.thresholds import read_thresholds
from slowfast_ext.prepare.action_genome import read_action_genome
from slowfast_ext.prepare.label_forms import check_problems, read_label_file
from slowfast_ext.prepare.own_media import OwnMedia
from slowfast_ext.prepare.person_detectors import identity_of_weights, load_detector
from tests.helpers import write_noise
from tests.prepare import set_files, tool_files

Reader = namedtuple("Reader", "name file seeds read")
"""
Args:
    name (str): what is read.
    file (str): the name of the file to read, relative to a folder of its own.
    seeds (list[bytes]): valid contents.
    read (callable): on the file's path.
"""

CLASSES = ["run", "jump", "wave"]
CONFIG = Path(__file__).parents[2] / "configs" / "Synthetic" / "ACTIVITY_SLOWFAST.yaml"
GROUPS = [(4, 2, 1), (2, 1, 1)]
CODECS = {"mp4": "libx264", "mkv": "libx264", "ts": "libx264", "avi": "mpeg4", "mpg": "mpeg2video"}


def all_readers(folder):
    """list[Reader], with what they need beside the damaged file in `folder` (Path)."""
    return [*_texts(folder), *_tables(), *_labels(folder), *_binaries(folder), *_media(folder)]


def _texts(folder):
    cfg = checked_config(str(CONFIG), ["NUM_GPUS", "0"])
    seeds = [cfg.dump().encode()]
    names = "".join(f"c{index:03d} Name {index} of it\n" for index in range(157)).encode()
    pbtxt = b'item {\n  name: "run"\n  id: 1\n}\nitem { name: "bend/bow" id: 2 label_type: X }\n'
    label_maps = [pbtxt, b"1 run\n2 bend/bow\n"]
    result = {"row": "4", "mAP": 0.5, "date": "2025-01-01T00:00:00+00:00", "counts": {"videos": 3}}
    return [
        Reader("classes", "classes.txt", [b"run\njump high\nr\xc3\xa9parer\n"], read_class_names),
        Reader("config", "x.yaml", seeds, checked_config),
        Reader("Charades' classes", "c.txt", [names], charades_annotations.read_classes),
        Reader("AVA's label map", "map.pbtxt", label_maps, ava_annotations.read_label_map),
        Reader("results.json", "results.json", [json.dumps(result).encode()], read_result),
    ]


def _tables():
    charades_csv = b"id,subject,actions,length\nAAAAA,x,c092 11.90 21.20;c147 0.00 12.60,24.83\n"
    frame_list = b'original_vido_id video_id frame_id path labels\nA 0 0 A/A-000001.jpg "1,2"\n'
    frame_list += b'A 0 1 A/A-000002.jpg "1"\nB 1 0 B/B-000001.jpg ""\n'
    ava_list = frame_list[: frame_list.index(b"\n") + 1]
    ava_list += b'm1 0 0 m1/m1_000001.jpg ""\nm1 0 1 m1/m1_000002.jpg ""\n'
    truth = b"m1,0902,0.1,0.2,0.5,0.9,12,0\nm1,0902,0.1,0.2,0.5,0.9,80,0\nm2,1000,,,,,,\n"
    boxes = b"m1,0902,0.1,0.2,0.5,0.9,,0.99\nm1,0903,0.1,0.2,0.5,0.9,,0.5\n"
    detections = b"m1,0902,0.1,0.2,0.5,0.9,12,0.99\nm1,0903,0.1,0.2,0.5,0.9,1,0.5\n"
    moment = b"3.jpg l_set 1 2 30 40 waiting 5 6 7 8 setting\n9.jpg r-spike 0 0 5 5 moving\n"
    moments = ",".join(volleyball.COLUMNS) + "\nf/3,waiting,l_set,1,3,1,5,1 2 30 40 waiting\n"
    tracklets = b'0 1 2 3 4 100 0 0 0 "standing"\n1 1 2 3 4 101 0 1 0 "moving"\n'
    objects = b"video,frame,class,x1,y1,x2,y2,score\nv,1,run,0.1,0.1,0.5,0.5,0.9\n"
    predictions = b"id,run,jump,wave\na,0.1,0.25,1e-08\nb,0.5,0.5,0.75\n"
    submission = b"AAAAA " + b" ".join(b"0.5" for _ in range(157)) + b"\n"
    weights = b"activity,rate 4,rate 2\nrun,0.5,0.5\njump,1,0\nwave,0.25,0.75\n"
    thresholds = b"activity,threshold,f1\nrun,0.5,0.5\njump,0.25,\nwave,0.1,1\n"
    listed = b"path,labels,start,end\na.mp4,run;jump,0,1.5\nb/c,2,,\na.mp4,,2,3\n"
    return [
        Reader("list", "train.csv", [listed], _read_list),
        Reader("Charades' csv", "t.csv", [charades_csv], charades_annotations.read_split),
        Reader("Charades' frame list", "train.csv", [frame_list], _read_frame_list),
        Reader("AVA's ground truth", "t.csv", [truth], ava_annotations.read_ground_truth),
        Reader("AVA's boxes", "t.csv", [boxes], ava_annotations.read_person_boxes),
        Reader("AVA's predictions", "t.csv", [detections], ava_annotations.read_detections),
        Reader("AVA's exclusions", "t.csv", [b"m1,0902\n"], ava_annotations.read_exclusions),
        Reader("AVA's frame list", "t.csv", [ava_list], _read_ava_frames),
        Reader(
            "Volleyball's annotations", "annotations.txt", [moment], volleyball.read_annotations
        ),
        Reader("Volleyball's tracklets", "3.txt", [tracklets], volleyball.read_tracklets),
        Reader("list of moments", "train.csv", [moments.encode()], volleyball.read_moments),
        Reader("objects.csv", "objects.csv", [objects], lambda p: read_objects(p, CLASSES)),
        Reader("predictions.csv", "predictions.csv", [predictions], read_predictions),
        Reader("Charades' submission", "s.txt", [submission], read_scores),
        Reader("rate weights", "w.csv", [weights], lambda p: read_rate_weights(p, CLASSES, GROUPS)),
        Reader("thresholds", "thresholds.csv", [thresholds], lambda p: read_thresholds(p, CLASSES)),
    ]


def _read_list(path):
    folder = Path(path).parent
    (folder / "a.mp4").write_bytes(b"x")
    (folder / "b" / "c").mkdir(parents=True, exist_ok=True)
    read_list(path, CLASSES, str(folder), outside="none")


def _read_ava_frames(path):
    ava_frames._read_frame_list.cache_clear()
    ava_frames.read_frame_lists([path])


def _read_frame_list(path):
    charades.is_frame_list(path)
    charades.read_frame_list(path, 157, "frames", 24.0, check_files=False)


def _read_labels(path, media, options):
    check_problems(read_label_file(path, media, **options))


def _labels(folder):
    videos = folder / "videos"
    videos.mkdir()
    for name in "abc":
        # Whole ones: some forms count their frames.
        write_noise(videos / f"{name}.mp4", 10, seed=0, fps=int(tool_files.RATE))
    (videos / "f").mkdir()
    (videos / "f" / "1.jpg").write_bytes(b"x")
    media = OwnMedia(str(videos))
    annotation = {"segment": [0, 1.5], "label": "run"}
    database = {"a": {"subset": "training", "duration": 2.0, "annotations": [annotation]}}
    forms = {
        "labels": b"path,labels,start,end\na.mp4,run;jump,0,1\nb,wave,,\n",
        "columns": b"path,start,end,run,jump\na.mp4,0,1,1,0\nb.mp4,,,0,1\n",
        "ActivityNet": json.dumps({"version": "1", "database": database}).encode(),
        "Kinetics": b"label,youtube_id,time_start,time_end,split\nrun,a,0,10,train\n",
        "lines": b"a.mp4 run\nb.mp4 jump wave\n",
        "lines of folders": b"f 1 run\nf 1 jump\n",
        "CVAT's tracks": set_files.cvat_video()["a.xml"].encode(),
        "CVAT's images": set_files.cvat_images()["a.xml"].encode(),
        "DeepEthogram": set_files.deep_ethogram()["a_labels.csv"].encode(),
        "Solomon Coder": set_files.solomon()["a.csv"].encode(),
        "actions": set_files.actions().encode(),
        "frame list": set_files.frame_list().encode(),
        "Bento": set_files.bento()["a.annot"].encode(),
        "BORIS": tool_files.boris_tabular().encode(),
        "BORIS' project": json.dumps(tool_files.boris_project()).encode(),
        "ELAN": tool_files.elan()["a"].encode(),
        "Label Studio": tool_files.label_studio().encode(),
        "Label Studio's CSV": tool_files.label_studio_csv().encode(),
        "Observer": tool_files.observer().encode(),
        "VIA": tool_files.via_csv().encode(),
        "VIA's project": json.dumps(tool_files.via_project()).encode(),
    }
    return [
        Reader(
            f"labels ({name})",
            "a",  # Some forms are about the video of the file's own name.
            [seed],
            partial(
                _read_labels,
                media=media,
                options=({"frame_rate": 10.0} if name.startswith("Label Studio") else {}),
            ),
        )
        for name, seed in forms.items()
    ]


def _binaries(folder):
    cfg = checked_config(str(CONFIG), ["NUM_GPUS", "0"])
    tensors = {"s1.weight": torch.zeros(2, 3), "s2.bias": torch.ones(4)}
    state = {"epoch": 1, "model_state": tensors, "optimizer_state": {}, "cfg": cfg.dump()}
    box = {"class": "dog", "bbox": (1.0, 2.0, 3.0, 4.0), "visible": True, "metadata": {"set": "x"}}
    objects = {"AAAAA.mp4/000001.png": [box]}
    persons = {"AAAAA.mp4/000001.png": {"bbox": np.ones((1, 4), np.float32), "bbox_size": (9, 9)}}
    blobs = {"blobs": {"conv1_w": np.zeros((2, 2), np.float32), "lr": np.float32(1)}}
    other = folder / "genome"
    other.mkdir()
    (other / "person_bbox.pkl").write_bytes(pickle.dumps(persons))

    def check(path):
        check_same_config(path, read_checkpoint(path), cfg, "train")

    def genome(path):
        (Path(path).parent / "person_bbox.pkl").write_bytes(pickle.dumps(persons))
        read_action_genome(str(Path(path).parent))

    def genome_persons(path):
        (Path(path).parent / "object_bbox_and_relationship.pkl").write_bytes(pickle.dumps(objects))
        read_action_genome(str(Path(path).parent))

    def pickles(content):
        return [pickle.dumps(content, protocol) for protocol in (0, 2, 4)]

    detector = torch.zeros(2, 3)
    detector = {"roi_heads.box_predictor.cls_score.weight": detector}
    return [
        Reader("checkpoint", "x.pyth", [_saved(state)], check),
        Reader("weights", "x.pyth", [_saved(tensors)], lambda p: read_weights(p, "pytorch")),
        Reader("Caffe2's weights", "x.pkl", pickles(blobs), lambda p: read_weights(p, "caffe2")),
        Reader("detector's weights", "x.pth", [_saved(detector)], _read_detector),
        Reader(
            "Action Genome's objects", "object_bbox_and_relationship.pkl", pickles(objects), genome
        ),
        Reader("Action Genome's persons", "person_bbox.pkl", pickles(persons), genome_persons),
    ]


def _saved(state):
    content = io.BytesIO()
    torch.save(state, content)
    return content.getvalue()


def _read_detector(path):
    identity_of_weights(path)
    load_detector(path, 0.5)


def _media(folder):
    readers = [
        Reader(f"video ({ending})", f"x.{ending}", [_video(folder, ending, codec)], _read_video)
        for ending, codec in CODECS.items()
    ]
    image = np.arange(48 * 64 * 3, dtype=np.uint8).reshape(48, 64, 3)
    for ending in ("jpg", "png"):
        seed = cv2.imencode(f".{ending}", image)[1].tobytes()
        readers.append(Reader(f"frames ({ending})", f"2.{ending}", [seed], _read_frames))
    return readers


def _video(folder, ending, codec):
    """64 x 48, 20 frames."""
    path = folder / f"seed.{ending}"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options={"g": "8", "bf": "2"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(20):
            image = np.full((48, 64, 3), 12 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path.read_bytes()


def _read_video(path):
    with open_video(path) as video:
        frames = clip_of_video(video.info, 8, 4, 30, 0.5)
        video.read(frames, short_side=32)


def _read_frames(path):
    _read_video(str(Path(path).parent))
