"""Which folder pairs are found, against what Pillow says of their files."""

from __future__ import annotations

from pathlib import Path

from pairs import smooth, write_pairs
from PIL import Image

from ntire_bench.data.nearby import folder_pairs, png_size


def test_folder_pairs_are_counted_and_sizes_are_pillows(tmp_path: Path) -> None:
    write_pairs(tmp_path, "valid", [smooth(1), smooth(2)])
    (tmp_path / "Odd_HR").mkdir()
    (tmp_path / "Odd_HR" / "broken.png").write_bytes(b"no image")
    (tmp_path / "Odd_HR" / ".hidden.png").write_bytes(b"")
    (tmp_path / "notes_HR").write_text("a file")
    odd, valid = sorted(folder_pairs(tmp_path), key=lambda pair: pair.base.name.lower(), reverse=True)[:2]
    assert (odd.base.name, odd.hr, odd.lr, odd.hr_sizes) == ("Odd", 1, None, ())
    assert (valid.hr, valid.lr) == (2, 2) and valid.base.name.endswith("valid")
    for file in sorted(Path(f"{valid.base}_HR").iterdir()):
        with Image.open(file) as image:
            assert png_size(file) == (image.height, image.width)
    assert folder_pairs(tmp_path / "nothing") == []


def test_what_is_no_png_has_no_size(tmp_path: Path) -> None:
    for content in (b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff" + b"0" * 40):
        file = tmp_path / "a.png"
        file.write_bytes(content)
        assert png_size(file) is None
    assert png_size(tmp_path / "absent.png") is None
