"""Label files that can be read in two ways, of which one is wrong: refused, with what to do."""

import pytest

from slowfast_ext.errors import SlowFastExtError
from slowfast_ext.prepare.label_forms import check_problems, read_label_file
from slowfast_ext.prepare.own_media import OwnMedia


@pytest.fixture
def read(tmp_path):
    """`read(text, ...)`: [(video, labels)] of a file of labels of a.mp4, b.mp4 and c.mp4."""
    (tmp_path / "videos").mkdir()
    for name in "abc":
        (tmp_path / "videos" / f"{name}.mp4").touch()

    def rows(text, name="labels.csv", **options):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        place = path.parent if "/" in name else path
        file = read_label_file(str(place), OwnMedia(str(tmp_path / "videos")), **options)
        check_problems(file)
        return [(row.video, ";".join(row.labels)) for row in file.rows]

    return rows


def refusal(read, *args, **options):
    with pytest.raises(SlowFastExtError) as caught:
        read(*args, **options)
    return str(caught.value)


@pytest.mark.parametrize("name", ["split", "Subset", "animal_id", "is_training", "id"])
def test_what_is_numbered_0_and_1_is_no_activity(read, name):
    text = f"path,{name},run,jump\na.mp4,0,1,0\nb.mp4,1,0,1\nc.mp4,1,1,1\n"
    assert f"{name}: seem to be flags" in refusal(read, text)
    assert read(text, label_columns=["run", "jump"])[2] == ("c.mp4", "run;jump")
