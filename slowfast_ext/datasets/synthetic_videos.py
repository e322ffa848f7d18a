import csv, json, os, dataclasses
import numpy as np, cv2, av
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

@dataclass(frozen=True)
class SyntheticSettings:
    num_train: int = 400
    num_test: int = 160
    seed: int = 0
    several_places: bool = True
    several_speeds: bool = True
    correlated: bool = True
    distractors: bool = True

KINDS = ("shakes sideways", "bounces", "circles", "pulses")
PERIOD = {"slowly": 56, "": 24, "fast": 7}
SIZE, FRAMES, FPS = 96, 72, 30
NAMES = [f"{k} {s}".strip() for s in PERIOD for k in KINDS]
TOGETHER = [(0, 5), (2, 8), (7, 9)]
APART = [(1, 4), (3, 10), (6, 11)]

def draw_labels(random, s):
    labels = random.random(12) < 0.2
    if s.correlated:
        for a, b in TOGETHER:
            labels[b] = labels[a] if random.random() < 0.85 else labels[b]
        for a, b in APART:
            if labels[a] and labels[b]: labels[a if random.random() < 0.5 else b] = False
    chosen = np.flatnonzero(labels)
    if len(chosen) == 0: chosen = random.integers(12, size=1)
    if len(chosen) > 4: chosen = random.permutation(chosen)[:4]
    return sorted(int(c) for c in chosen)

def make(args):
    directory, split, index, s = args
    random = np.random.default_rng([s.seed, {"train": 0, "test": 1}[split], index])
    labels = draw_labels(random, s)
    cells = random.permutation(9)
    actors = []
    for n, a in enumerate(labels):
        start = 0 if random.random() < .6 else int(random.integers(0, FRAMES // 3))
        end = FRAMES if random.random() < .6 else int(random.integers(2 * FRAMES // 3, FRAMES))
        cell = cells[n] if s.several_places else 4
        speed = list(PERIOD)[a // 4]
        period = PERIOD[speed] if s.several_speeds else 24
        actors.append(dict(activity=a, kind=a % 4, period=period * random.uniform(.9, 1.1), phase=random.uniform(0, 6.28), cell=cell, start=start, end=end, hue=random.uniform(0, 180), shape=random.integers(3)))
    if s.distractors:
        for n in range(int(random.integers(0, 3))):
            cell = cells[len(labels) + n] if s.several_places else int(random.integers(9))
            actors.append(dict(activity=None, kind=None, cell=cell, start=0, end=FRAMES, hue=random.uniform(0, 180), shape=random.integers(3), drift=random.uniform(-.15, .15, 2)))
    background = cv2.resize(random.uniform(40, 110, (6, 6, 3)).astype(np.float32), (SIZE, SIZE))
    path = f"{directory}/videos/{split}_{index:04d}.mp4"
    c = av.open(path + ".tmp", "w", format="mp4")
    st = c.add_stream("libx264", rate=FPS); st.width = st.height = SIZE; st.pix_fmt = "yuv420p"
    st.options = {"preset": "veryfast", "crf": "20", "g": "12", "threads": "1"}
    for t in range(FRAMES):
        img = background + random.normal(0, 6, (SIZE, SIZE, 1)).astype(np.float32)
        for a in actors:
            if not a["start"] <= t < a["end"]: continue
            cx, cy = 16 + 32 * (a["cell"] % 3), 16 + 32 * (a["cell"] // 3)
            r = 6.0
            if a["kind"] is None: cx += a["drift"][0] * t; cy += a["drift"][1] * t
            else:
                w = 2 * np.pi * t / a["period"] + a["phase"]
                if a["kind"] == 0: cx += 9 * np.sin(w)
                if a["kind"] == 1: cy += 9 * np.sin(w)
                if a["kind"] == 2: cx += 8 * np.cos(w); cy += 8 * np.sin(w)
                if a["kind"] == 3: r = 7.5 + 4 * np.sin(w)
            color = cv2.cvtColor(np.uint8([[[a["hue"], 160, 240]]]), cv2.COLOR_HSV2RGB)[0, 0].tolist()
            cxy = (int(round(cx * 8)), int(round(cy * 8)))
            if a["shape"] == 0: cv2.circle(img, cxy, int(r * 8), color, -1, cv2.LINE_AA, 3)
            else:
                n = 4 if a["shape"] == 1 else 3
                ang = np.arange(n) * 2 * np.pi / n + np.pi / 4
                pts = np.stack([cx + 1.2 * r * np.cos(ang), cy + 1.2 * r * np.sin(ang)], 1)
                cv2.fillPoly(img, [np.round(pts * 8).astype(np.int32)], color, cv2.LINE_AA, 3)
        f = av.VideoFrame.from_ndarray(img.clip(0, 255).astype(np.uint8), format="rgb24")
        for p in st.encode(f): c.mux(p)
    for p in st.encode(): c.mux(p)
    c.close(); os.replace(path + ".tmp", path)
    return [(f"videos/{split}_{index:04d}.mp4", NAMES[a["activity"]], a["start"] / FPS, (a["end"] - 1) / FPS) for a in actors if a["activity"] is not None]

def ensure(directory, s):
    if os.path.exists(f"{directory}/settings.json"): return
    os.makedirs(f"{directory}/videos", exist_ok=True)
    open(f"{directory}/classes.txt", "w").write("\n".join(NAMES) + "\n")
    with ProcessPoolExecutor(2) as pool:
        for split, n in (("train", s.num_train), ("test", s.num_test)):
            rows = pool.map(make, [(directory, split, i, s) for i in range(n)], chunksize=10)
            with open(f"{directory}/{split}.csv", "w") as f:
                w = csv.writer(f); w.writerow(["path", "labels", "start", "end"])
                for r in rows: w.writerows(r)
    json.dump(dataclasses.asdict(s), open(f"{directory}/settings.json", "w"))
