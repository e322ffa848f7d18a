"""The videos and the folders of frames below a folder, found by the names that people give them."""

import difflib
import os
import re
import unicodedata
import urllib.parse

from slowfast_ext.datasets.container import VIDEO_ENDINGS
from slowfast_ext.datasets.image_names import IMAGE_ENDINGS, frames_of, is_image, matching
from slowfast_ext.datasets.video import open_video
from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.utils.paths import is_local, pathmgr
from slowfast_ext.utils.text import MAX_PROBLEMS_SHOWN


class OwnMedia:
    """
    What lies below a folder.

    Args:
        folder (str): with video files and folders of frames, at any depth.
        pattern (str or None): of the images that are frames, where folders hold others beside
            them, such as img_*.jpg; folders without any are none of frames.

    Attributes:
        num_frames (dict[str, int]): a folder of frames, relative to `folder` -> its images.

    Raises:
        SlowFastExtError: there is no such folder, or nothing of either kind is in it.
    """

    def __init__(self, folder, pattern=None):
        if not pathmgr.isdir(folder):
            raise SlowFastExtError(f"{folder}: no such folder; check the path")
        # Absolute, so that the lists can lie anywhere.
        self.folder = os.path.abspath(folder) if is_local(folder) else folder.rstrip("/")
        self.num_frames, self._by_name, self._paths = {}, {}, set()
        # Paths by `_loose` of their last part.
        self._by_stem = {}
        self._info = {}
        self._seen, self._folders = set(), set()
        self._num_hints, self._pattern = 0, pattern
        self._add_folder("")
        if not self._paths:
            raise SlowFastExtError(
                f"{folder}: holds no video ({', '.join(VIDEO_ENDINGS)}) and no folder of frames "
                f"({', '.join(IMAGE_ENDINGS)})"
            )

    def __len__(self):
        return len(self._paths)

    def path(self, relative):
        """The whole path of a video."""
        series = f"/{self._pattern}" if self._pattern and relative in self.num_frames else ""
        return f"{self.folder}/{relative}{series}"

    def find(self, name):
        """
        Args:
            name (str): a path, relative to the folder or of any machine's, with or without the
                ending; or as many of its last parts as are the video's alone.
        Returns:
            (str or None, str or None): the path relative to the folder; what is wrong.
        """
        found = self._candidates(name)
        if len(found) == 1:
            return found[0], None
        if found:
            return None, f'"{name}" may be {" or ".join(found[:3])}: write the path'
        return None, f'no video "{name}" in {self.folder}{self._hint(name)}'

    def has(self, name):
        """True where `name` is the name of one video or of several."""
        return bool(self._candidates(name))

    def is_gone(self, name):
        """
        True where nothing here is called so: not in other letters, with other marks between words
        or with another ending either, which would be another spelling of a video that is here.
        """
        return bool(self.parts(name)) and not self._candidates(name) and not self._alike(name)

    def frames(self, folder):
        """The names of a folder's frames, in their order; raises SlowFastExtError."""
        path = f"{self.folder}/{folder}"
        return frames_of(path, pathmgr.ls(path), self._pattern)

    def info(self, video):
        """The VideoInfo of a video, which is opened once; raises SlowFastExtError."""
        if video not in self._info:
            with open_video(self.path(video)) as reader:
                self._info[video] = reader.info
        return self._info[video]

    def duration(self, video):
        """A video's length in seconds, None for a folder of frames; raises SlowFastExtError."""
        if video in self._info:  # Times in frames were read before.
            return self._info[video].duration
        with open_video(self.path(video)) as reader:
            return reader.info.duration

    def time_of_frame(self, video, number):
        """
        When a frame is shown, in seconds; frames count from 0, and on behind the last one.

        Returns:
            float or None: None where the video has no times, as a folder of frames.
        Raises:
            SlowFastExtError: it does not open.
        """
        info = self.info(video)
        if info.times is None:
            return None
        if number < info.length:
            return float(info.times[number])
        return info.duration + ((number - info.length) / info.fps if info.fps else 0.0)

    def parts(self, name):
        """
        The parts of a path as it is written, of this machine or another (`C:\\...`, file://...),
        below the folder where it lies in it, and without a video's ending.
        """
        parts = self._parts(name)
        stem, ending = os.path.splitext(parts[-1]) if parts else ("", "")
        return [*parts[:-1], stem] if ending.lower() in VIDEO_ENDINGS else parts

    def _parts(self, name):
        name = urllib.parse.unquote(name) if name.startswith("file:") else name
        name = unicodedata.normalize("NFC", name.removeprefix(f"{self.folder}/"))
        return [part for part in re.split(r"[/\\]", name) if part not in ("", ".")]

    def _candidates(self, name):
        below = name.removeprefix(f"{self.folder}/")
        below = os.path.normpath(below) if is_local(below) and below else below
        if below in self._paths:
            return [below]
        parts = self._parts(below)
        for number in range(len(parts)):
            found = self._by_name.get("/".join(parts[number:]), [])
            # A folder that is here says which of equal names is meant, also of one that is not.
            if found and (number == 0 or parts[number - 1] not in self._folders):
                return found
            if found:
                return []
        return []

    def _alike(self, name):
        """The paths that end as `name` does but for its spelling and the ending."""
        return sorted(self._by_stem.get(self._loose(name), ()))

    def _loose(self, name):
        """A path's last part, equal for clip-1.avi, Clip_1 and clip 1.mp4."""
        return re.sub(r"[\W_]+", "_", self.parts(name)[-1]).casefold()

    def _hint(self, name):
        """
        The nearest name: one in another spelling or with another ending, else one that is alike;
        not for more problems than are shown, since the search is slow.
        """
        self._num_hints += 1
        if self._num_hints > MAX_PROBLEMS_SHOWN or not self.parts(name):
            return ""
        known = self._alike(name)
        known = known or difflib.get_close_matches(name, [*self._paths, *self._by_name], n=1)
        return f", did you mean {known[0]}?" if known else ""

    def _add_folder(self, relative):
        path = f"{self.folder}/{relative}".rstrip("/")
        # A link may lead back to a folder above.
        real = os.path.realpath(path) if is_local(path) else path
        if real in self._seen:
            return
        self._seen.add(real)
        names = [name for name in pathmgr.ls(path) if not name.startswith(".")]
        images = list(filter(is_image, names))
        frames = matching(images, self._pattern) if self._pattern else images
        if frames and relative:
            self.num_frames[relative] = len(frames)
            self._add(relative, relative)
        for name in sorted(set(names) - set(images)):
            below = f"{relative}/{name}" if relative else name
            stem, ending = os.path.splitext(below)
            if ending.lower() in VIDEO_ENDINGS and not pathmgr.isdir(f"{path}/{name}"):
                self._add(below, stem)
            elif pathmgr.isdir(f"{path}/{name}"):
                self._folders.add(unicodedata.normalize("NFC", name))
                self._add_folder(below)

    def _add(self, relative, stem):
        """Names it by its path's last parts, as many as one likes, with and without the ending."""
        self._paths.add(relative)
        self._by_stem.setdefault(self._loose(relative), []).append(relative)
        names = set()
        for path in (relative, stem):
            parts = unicodedata.normalize("NFC", path).split("/")
            names |= {"/".join(parts[number:]) for number in range(len(parts))}
        for name in names:
            self._by_name.setdefault(name, []).append(relative)
