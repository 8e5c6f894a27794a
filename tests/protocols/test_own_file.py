"""A protocol from a user's own TOML file: what it may leave out, and every mistake with its key."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from own_rules import TEXT, write_rules

from ntire_bench.errors import UsageError
from ntire_bench.protocols import protocol as protocols

# Of the files as they were released; records know them by these.
SHIPPED = {
    "demo": "93ededd4016c144ea5637110d5bce867e323e77a4b39a078a7481a086b8b5c6c",
    "ntire2024": "2709a637e3f435bc4a2157e3d5dbb1d65d87e9dce33e1d2d670eb5804e11b66b",
    "ntire2025": "f83761420c442ff2e3943132420b41d569cc7f63d266b1f5923a3463dc23d4af",
    "ntire2026": "3450c983a1191843ac1a0f5e040ab56205430b093e204483a11d3854f72bc4a0",
    "sample": "f8f63611d932131d4236782215babed5e7c95c508c58b9045b35821d7d8b3d5d",
}


def mistakes(path: Path) -> str:
    with pytest.raises(UsageError) as caught:
        protocols.load(path)
    assert caught.value.file == path and caught.value.remedy
    return str(caught.value)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_files_are_what_they_were(name: str) -> None:
    assert protocols.load(name).sha256 == SHIPPED[name]
    assert protocols.load(name).text == ""
    shipped = protocols.shipped_with(SHIPPED[name])
    assert shipped is not None and shipped.name == name


def test_an_own_file_is_read_and_kept(tmp_path: Path) -> None:
    rules = protocols.load(write_rules(tmp_path))
    assert (rules.name, rules.title) == ("mine2027", "My Efficient Super-Resolution 2027")
    assert rules.splits == ("Night", "Fog") and rules.thresholds.of("Night") == 28.5
    assert (rules.weights.runtime, rules.weights.flops, rules.sources) == (0.5, 0.25, {})
    assert rules.text == TEXT and rules.sha256 == hashlib.sha256(TEXT.encode()).hexdigest()
    assert protocols.from_text(rules.text, "x.json") == rules


def test_a_copy_of_a_shipped_file_is_that_protocol(tmp_path: Path) -> None:
    copy = tmp_path / "copy.toml"
    copy.write_bytes((Path(protocols.__file__).parent / "ntire2025.toml").read_bytes())
    assert protocols.load(copy) == protocols.load("ntire2025")
    copy.write_bytes(copy.read_bytes().replace(b"26.99", b"27.99", 1))
    assert "name: 'ntire2025' is a protocol of this program, with other rules" in mistakes(copy)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("scale = 4", "", "scale: missing"),
        ("scale = 4", 'scale = "4"', "scale: expected `int`, got `str`: '4'"),
        ("scale = 4", "scale = 8", "scale: expected `int` <= 4"),
        ("scale = 4", "scale = 0", "scale: expected `int` >= 1"),
        ("scale = 4", "scale = 1", "noise: missing: at scale 1"),
        ("scale = 4", "scale = 4\nnoise = 50", "noise: it goes with scale = 1, and the scale is 4"),
        ("scale = 4", "scale = 1\nnoise = 0", "noise: expected `float` > 0"),
        ('kind = "absolute"', 'kind = "none"', 'thresholds: Night has a value, and kind = "none" has none'),
        ("border = 4", "boarder = 4", "border: missing; boarder: there is no such key (border?)"),
        ("border = 4", "border = -1", "border: expected `int` >= 0"),
        ('psnr_channel = "y"', 'psnr_channel = "Y"', "psnr_channel: expected 'y' or 'rgb', got 'Y'"),
        ("rounds = 5", "rounds = 0", "rounds: expected `int` >= 1"),
        ("[1, 3, 256, 256]", "[256, 256]", "cost_input: expected `array` of length 4, got 2"),
        ("[1, 3, 256, 256]", "[2, 3, 256, 256]", "cost_input: invalid enum value 2 - at `$[0]`"),
        ('kind = "absolute"', 'kind = "relative"', "thresholds.kind: expected "),
        ("decimals = 2", "", "thresholds.decimals: missing"),
        ("Night = 28.50", 'Night = "28.50"', "thresholds.splits.Night: expected `float`, got `str`"),
        ("Night = 28.50", "Night = nan", "thresholds.splits.Night: expected `float` >= 0"),
        ("Night = 28.50", "valid = 28.50", "thresholds.splits.valid: write it as thresholds.valid"),
        ("Night = 28.50", '"../up" = 28.50', "thresholds.splits.../up: letters, digits"),
        ("Night = 28.50\nFog = 27.00", "", "thresholds: none is given"),
        ("flops = 0.25", "flops = 0.3", "must add up to 1, and these give 1.05"),
        ("flops = 0.25", "flops = -0.25", "weights.flops: expected `float` >= 0"),
        ("params = 0.25", "", "weights.params: missing"),
        ('name = "RLFN"', 'name = ""', "baseline.name: empty"),
        ('name = "mine2027"', 'name = "../mine"', "name: letters, digits and . _ + - are expected"),
        ('name = "mine2027"', 'name = "sample"', "name: 'sample' is a protocol of this program"),
        ('title = "My', 'title = "\\nMy', "title: one line of text is expected"),
        ("[weights]", "[weighting]", "weights: missing; weighting: there is no such key (weights?)"),
        (
            "[baseline]",
            '[datasets]\nvalid = "X"\n[baseline]',
            "datasets.valid: there is no threshold for this",
        ),
        (
            "[baseline]",
            '[datasets.splits]\nFog = "a/b"\n[baseline]',
            "datasets.splits.Fog: the name of a folder",
        ),
        ("[baseline]", "[datasets]\nimages = 0\n[baseline]", "datasets.images: expected `int` >= 1"),
        ("rounds = 5", "rounds = 5\nsha256 = 'x'", "sha256: there is no such key"),
        ("rounds = 5", "rounds =", "the protocol is not TOML"),
    ],
)
def test_a_mistake_is_named_with_its_key(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert told in mistakes(write_rules(tmp_path, (old, new)))


def test_rules_of_denoising_and_rules_without_a_threshold(tmp_path: Path) -> None:
    rules = protocols.load(write_rules(tmp_path, ("scale = 4", "scale = 1\nnoise = 25")))
    assert (rules.scale, rules.noise, rules.splits) == (1, 25, ("Night", "Fog"))
    nothing = ("Night = 28.50\nFog = 27.00", ""), ('kind = "absolute"', 'kind = "none"')
    rules = protocols.load(write_rules(tmp_path, *nothing))
    assert not rules.asks_for_psnr and rules.splits == ("valid", "test")
    named = ("[baseline]", '[datasets.splits]\nFog = "Fog_2027"\n[baseline]')
    assert protocols.load(write_rules(tmp_path, *nothing, named)).splits == ("Fog",)


def test_values_are_judged_beside_keys_and_types(tmp_path: Path) -> None:
    told = mistakes(
        write_rules(
            tmp_path,
            ("rounds = 5", 'rounds = "5"'),
            ("runtime = 0.5", "runtime = 0.6\nspeed = 1"),
            ("Night = 28.50", '"Ni ght" = 28.50'),
            ('name = "mine2027"', 'name = "a/b"'),
        )
    )
    assert "5 mistakes in the protocol" in told
    for text in (
        "rounds: expected `int`",
        "weights.speed: there is no such key",
        "weights: ",
        "name: letters",
    ):
        assert text in told
    assert "thresholds.splits.Ni ght: letters" in told
    # What stands in for a value of the wrong type is not judged.
    noise = mistakes(write_rules(tmp_path, ("scale = 4", "scale = 1\nnoise = 0"), name="noise.toml"))
    assert "1 mistake in the protocol" in noise and "noise: expected" in noise
    one = mistakes(write_rules(tmp_path, ("runtime = 0.5", 'runtime = "a"'), name="other.toml"))
    assert "1 mistake in the protocol" in one


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    told = mistakes(write_rules(tmp_path, ("scale = 4", "scale = true"), ("[weights]", "[weighting]")))
    assert "3 mistakes in the protocol" in told
    assert "scale: " in told and "weights: missing" in told and "weighting: " in told


def test_a_file_that_is_not_there_or_not_utf_8(tmp_path: Path) -> None:
    assert "cannot be read" in mistakes(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b'title = "\xe9"')
    assert "not UTF-8" in mistakes(tmp_path / "latin.toml")


def test_folders_and_counts_of_images_by_split(tmp_path: Path) -> None:
    more = '[datasets]\nimages = {Night = 50}\n[datasets.splits]\nNight = "Night_2027"\n[baseline]'
    rules = protocols.load(write_rules(tmp_path, ("[baseline]", more)))
    assert rules.folders == {"Night": "Night_2027"} and rules.datasets is not None
    assert (rules.datasets.images_of("Night"), rules.datasets.images_of("Fog")) == (50, None)


def test_the_example_of_the_documentation_is_in_order(root: Path, tmp_path: Path) -> None:
    text = (root / "docs" / "PROTOCOLS.md").read_text(encoding="utf-8")
    (tmp_path / "mine.toml").write_text(text.split("```toml\n")[1].split("```")[0], encoding="utf-8")
    rules = protocols.load(tmp_path / "mine.toml")
    assert rules.splits == ("valid", "Night", "Fog") and rules.thresholds.by_split["Fog"] == 25.0
