"""A small tree in the form of Volleyball's own folders, with every quirk that those have."""

import cv2
import numpy as np

HEIGHT, WIDTH = 36, 64
# Video -> its lines. Group labels mix `_` and `-`; two boxes of one player nearly agree.
LINES = {
    1: [
        "120.jpg r_spike 5 10 4 8 waiting 10 10 6 12 spiking 10 10 6 13 spiking 40 8 5 9 blocking",
        "160.jpg l-pass 6 9 4 9 digging 44 10 5 9 standing ",
        "",
    ],
    3: ["30.jpg l-spike 50 8 20 9 moving -2 8 6 9 Spiking", "70.jpg R_WINPOINT 1 1 4 4 jumping"],
    4: ["90.jpg r-pass 40 9 5 9 digging 5 9 5 9 falling", "95.jpg l_set 3 3 5 9 setting"],
}
NUM_BOXES = {1: 6, 3: 3, 4: 3}
GROUPS = {"train": {"r_spike": 1, "l_pass": 1, "l_spike": 1, "r_winpoint": 1}}
ACTIONS = {
    "train": {
        **{"waiting": 1, "spiking": 3, "blocking": 1, "digging": 1, "standing": 1},
        **{"moving": 1, "jumping": 1},
    }
}


def write_tree(root):
    """
    Writes videos/V/annotations.txt and V/FRAME/NUMBER.jpg below `root`.

    Of video 1 moment 160 lies in moment 120's folder and 120 has a folder that is nothing;
    moment 30 of video 3 lies one folder too deep, 70 has fewer frames and a gap; video 4 has a
    folder without annotation; a video is of no split; video 1 has tracklets.
    """
    for video, lines in LINES.items():
        folder = root / "videos" / str(video)
        folder.mkdir(parents=True)
        # Byte-order mark and Windows line ends: editors leave them.
        (folder / "annotations.txt").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    videos = root / "videos"
    write_frames(videos / "1" / "120", range(100, 141))
    (videos / "1" / "120" / "notes").mkdir()
    (videos / "1" / "120" / "Thumbs.db").write_bytes(b"no frame")
    write_frames(videos / "1" / "120" / "160", range(140, 181))
    write_frames(videos / "3" / "30" / "30", range(10, 51))
    write_frames(videos / "3" / "70", [50, *range(60, 76)])
    write_frames(videos / "4" / "90", range(65, 116))
    write_frames(videos / "4" / "95", range(75, 116))
    write_frames(videos / "4" / "200", range(199, 202))
    (videos / "99").mkdir()
    (videos / "99" / "annotations.txt").write_text("1.jpg l_set 1 1 1 1 waiting\n")
    tracklets = root / "volleyball_tracking_annotation" / "1" / "120" / "120.txt"
    tracklets.parent.mkdir(parents=True)
    tracklets.write_text('0 5 10 9 18 119 0 0 1 "waiting"\n0 5 10 9 18 120 0 0 0 waiting\n')


def write_frames(folder, numbers):
    """Frames whose red is their number, whose green is their column."""
    folder.mkdir(parents=True)
    for number in numbers:
        image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        image[..., 2] = number
        image[..., 1] = np.arange(WIDTH) * 3
        cv2.imwrite(str(folder / f"{number}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 100])
