import pytest

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.label_forms import check_problems, read_label_file
from slowfast_ext.prepare.own_media import OwnMedia


@pytest.fixture
def read(tmp_path):
    """
    `read(text, ...)`: [(video, labels joined by ;, start, end)] of a file of labels; `read.file` is
    the LabelFile then. `read.refusal(text, ...)` is what is said of a bad one.
    """
    (tmp_path / "videos").mkdir()
    for name in "abc":
        (tmp_path / "videos" / f"{name}.mp4").touch()

    def rows(text, name="labels", **options):
        path = tmp_path / name
        path.write_text(text) if isinstance(text, str) else path.write_bytes(text)
        file = read_label_file(str(path), OwnMedia(str(tmp_path / "videos")), **options)
        check_problems(file)
        rows.file = file
        return [(r.video, ";".join(r.labels), r.start, r.end) for r in file.rows]

    def refusal(*args, **options):
        with pytest.raises(SlowFastExtError) as caught:
            rows(*args, **options)
        return str(caught.value).replace(f"{tmp_path}/", "")

    rows.refusal, rows.folder = refusal, tmp_path
    return rows
