"""The Python API: what `ntire_bench` shows, and that it does what the commands do."""

from __future__ import annotations

import ast
import inspect
import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import toys
from pairs import smooth, write_pairs
from PIL import Image
from record_factory import make_record
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

import ntire_bench
from ntire_bench import api
from ntire_bench.data.images import read_png
from ntire_bench.errors import DatasetError, RecordError, SubmissionError, UsageError
from ntire_bench.records import store


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working directory with a baseline, a submission and images."""
    declared = 'SUBMISSION = {"model": "Toy", "data_range": 1}'
    for id_, name in ((0, "RLFN"), (5, "Net")):
        toys.write_toy(tmp_path, id_, name, body=toys.toy(head=declared), checkpoint=toys.state_dict())
    write_pairs(tmp_path / "images", "valid", [smooth(1), smooth(2)])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_all_names_what_is_there_and_no_other():
    own = {name for name, value in vars(api).items() if getattr(value, "__module__", "") == api.__name__}
    assert {name for name in own if not name.startswith("_")} == set(api.__all__)
    assert set(ntire_bench.__all__) == {*api.__all__, "PACKAGE", "__version__"}
    assert set(ntire_bench.__all__) <= set(dir(ntire_bench))
    for name in api.__all__:
        assert getattr(ntire_bench, name) is getattr(api, name)
    with pytest.raises(AttributeError, match="has no attribute 'evalute'"):
        ntire_bench.evalute  # noqa: B018 - a name that is not there


@pytest.mark.parametrize("name", [name for name in api.__all__ if name != "Leaderboard"])
def test_every_argument_is_typed_and_described(name):
    function = getattr(api, name)
    text = inspect.getdoc(function)
    for parameter in inspect.signature(function).parameters.values():
        assert parameter.annotation is not inspect.Parameter.empty
        assert f"\n    {parameter.name}: " in text, parameter.name
    assert "Raises:" in text
    assert (ntire_bench.PACKAGE / "py.typed").is_file()


def test_a_submission_is_evaluated_stored_ranked_and_shown(place):
    calls: list[tuple[str, int, int]] = []
    record = ntire_bench.evaluate(
        "models/team05_Net.py",
        data_dir="images",
        protocol="demo",
        rounds=1,
        device="cpu",
        save_dir="sr",
        results="results",
        progress=lambda *call: calls.append(call),
    )
    assert (record.status, record.submission.id, record.rounds) == ("ok", 5, 1)
    assert calls and calls[-1][1] == calls[-1][2] > 0
    (path,) = (place / "results").rglob("*.json")
    assert ntire_bench.load_record(path) == store.load(path)
    # The PSNR is that of the saved SR images, as an independent library has it on RGB.
    for image in record.splits["valid"].per_image:
        (saved,) = (place / "sr").rglob(f"{image.name}*.png")
        sr, hr = (
            read_png(file)
            for file in (saved, place / "images" / "DIV2K_LSDIR_valid_HR" / f"{image.name}.png")
        )
        inside = (slice(4, -4), slice(4, -4))
        expected = peak_signal_noise_ratio(hr[inside], sr[inside], data_range=255)
        assert ntire_bench.psnr(sr, hr, channel="rgb") == pytest.approx(expected, abs=1e-9)
        assert image.psnr_rgb_db == pytest.approx(expected, abs=1e-6)
        assert image.psnr_y_db == pytest.approx(ntire_bench.psnr(sr, hr), abs=1e-6)

    board = ntire_bench.leaderboard("results", protocol="demo")
    assert [row.entry.label for row in board.rows if row.status != "baseline"] == ["05_Net"]
    assert "05_Net" in str(board) and str(board) == ntire_bench.render(board)
    document = json.loads(ntire_bench.render(board, "json"))
    assert "05_Net" in json.dumps(document)


def test_by_id_and_by_path_is_the_same_submission(place):
    by_path = ntire_bench.check("models/team05_Net.py", device="cpu")
    by_id = ntire_bench.check(5, device="cpu")
    assert by_path.submission == by_id.submission
    # 3 x 48 weights of a 3x3 convolution and 48 biases are what the toy has, if it is not told otherwise.
    counted = sum(int(np.prod(value.shape)) for value in toys.state_dict().values())
    assert by_id.complexity.params == counted


@pytest.mark.parametrize(
    "word", ["models/team08_Pack", "models/team08_Pack/__init__.py", "Pack", "team08", 8]
)
def test_a_package_is_found_by_its_folder_and_by_its_first_file(place, word):
    (place / "models/team08_Pack").mkdir()
    (place / "models/team08_Pack/__init__.py").write_text('SUBMISSION = {"checkpoint": None}\n')
    for wanted in {word, Path(word) if "/" in str(word) else word}:
        _, found = api._find(wanted, "models", None)
        assert found.label == "08_Pack"


def test_what_is_wrong_is_one_plain_message(place):
    with pytest.raises(UsageError, match="there is no such model file"):
        ntire_bench.evaluate("models/team07_Absent.py", data_dir="images", protocol="demo")
    (place / "models" / "net.py").write_text("")
    with pytest.raises(
        UsageError, match="no model file of a submission; expected a file named teamNN_Name.py"
    ):
        ntire_bench.check("models/net.py")
    with pytest.raises(UsageError, match="there is no submission 09"):
        ntire_bench.check(9)
    (place / "model_zoo" / "team05_Net.pth").unlink()
    with pytest.raises(SubmissionError, match="team05_Net"):
        ntire_bench.check(5)
    with pytest.raises(UsageError, match="docx"):
        ntire_bench.render(ntire_bench.leaderboard(reference="ntire2024"), "docx")
    with pytest.raises(RecordError, match=r"absent\.json"):
        ntire_bench.load_record("absent.json")
    with pytest.raises(DatasetError):
        ntire_bench.prepare("absent")
    image = np.zeros((32, 32, 3), np.uint8)
    for metric in (ntire_bench.psnr, ntire_bench.ssim):
        with pytest.raises(UsageError, match="no such channel"):
            metric(image, image, channel="luma")


def test_a_network_that_fails_is_a_failed_record(place):
    declared = 'SUBMISSION = {"model": "Toy", "data_range": 1}'
    body = toys.toy("raise ValueError('no')", head=declared)
    toys.write_toy(place, 6, "Fails", body=body, checkpoint=toys.state_dict())
    record = ntire_bench.evaluate(6, data_dir="images", protocol="demo", rounds=1, device="cpu")
    assert record.status == "failed" and "no" in record.error.message


@pytest.mark.parametrize("channel", ["y", "rgb"])
def test_ssim_is_scikit_images(channel):
    random = np.random.default_rng(0)
    hr = random.integers(0, 256, (40, 36, 3), dtype=np.uint8)
    sr = np.clip(hr + random.normal(0, 9, hr.shape), 0, 255).astype(np.uint8)
    luma = np.array([65.481, 128.553, 24.966]) / 255
    one, two = (image[4:-4, 4:-4].astype(float) for image in (sr, hr))
    if channel == "y":
        one, two = one @ luma + 16, two @ luma + 16
    expected = structural_similarity(
        one,
        two,
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        channel_axis=None if channel == "y" else -1,
    )
    inner = ntire_bench.ssim(sr, hr, channel=channel)
    assert inner == pytest.approx(expected, abs=1e-9)
    assert ntire_bench.ssim(hr, hr, channel=channel) == 1.0
    assert math.isinf(ntire_bench.psnr(hr, hr, channel=channel))


def test_prepare_makes_the_images_that_the_command_makes(place):
    (place / "mine_HR").mkdir()
    Image.fromarray(smooth(3)).save(place / "mine_HR" / "a.png")
    (written,) = ntire_bench.prepare("mine_HR")
    assert written.name == "ax4.png" and written.parent.name == "mine_LR"
    assert read_png(written).shape[0] * 4 == smooth(3).shape[0]


class Cells(HTMLParser):
    """Collects the text of each cell, and fails on what a notebook would run."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.inside = False

    def handle_starttag(self, tag, attributes):
        assert tag not in ("script", "style", "img", "iframe", "link")
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self.inside = True

    def handle_endtag(self, tag):
        self.inside = self.inside and tag not in ("td", "th")

    def handle_data(self, data):
        if self.inside:
            self.rows[-1][-1] += data


def test_a_notebook_shows_a_table_in_which_names_are_text(tmp_path):
    store.save(make_record(1, "<script>alert(1)</script>"), tmp_path)
    store.save(make_record(0, "RLFN"), tmp_path)
    cells = Cells()
    cells.feed(ntire_bench.leaderboard(tmp_path)._repr_html_())
    head, *rows = cells.rows
    assert "Team" in head and len(rows) == 2 and {len(row) for row in rows} == {len(head)}
    assert any("<script>" in row[0] for row in rows)


def test_the_documented_example_calls_what_is_there(root):
    (code,) = re.findall(
        r"^```python\n(.*?)^```$", (root / "docs/python.md").read_text(), re.MULTILINE | re.DOTALL
    )
    called = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("ntire_bench."):
            name = ast.unparse(node.func).removeprefix("ntire_bench.")
            words = {keyword.arg: None for keyword in node.keywords}
            inspect.signature(getattr(ntire_bench, name)).bind(*node.args, **words)
            called.add(name)
    assert called == {"evaluate", "leaderboard", "render", "psnr"}
    assert len(code.splitlines()) <= 10
