"""When a branch of a checkout is no longer what it was."""

from __future__ import annotations

import challenge_checkout as checkout

from ntire_bench.submissions.checkout import find


def test_the_hash_of_a_branch_follows_all_it_is_made_of(tmp_path):
    root = checkout.write(tmp_path / "checkout")

    def now(id_):
        return find.find(root).get(id_).branch.sources_sha256()

    first = now(checkout.PLAIN), now(checkout.PACKAGE), now(checkout.NO_CHECKPOINT)
    assert first == (now(checkout.PLAIN), now(checkout.PACKAGE), now(checkout.NO_CHECKPOINT))
    (root / "model_zoo/team00_RLFN.pth").write_bytes(b"other weights")
    second = now(checkout.PLAIN), now(checkout.PACKAGE), now(checkout.NO_CHECKPOINT)
    assert [a == b for a, b in zip(first, second, strict=True)] == [False, True, False]
    (root / "models/team06_sub/arch/blocks.py").write_text("# another network")
    assert now(checkout.PACKAGE) != second[1]
