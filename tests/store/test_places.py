"""Places in memory, against a dictionary, and on their way to the table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pychain.native import sort_records
from pychain.store import places as places_module
from pychain.store.places import Places
from pychain.store.records import PLACE_RECORD_BYTES, decode_entry, place_records

TXIDS = [bytes((number,)) * 32 for number in range(12)]

commits = st.lists(st.lists(st.sampled_from(TXIDS), max_size=4, unique=True), max_size=12)


@given(
    commits=commits, absorbed=st.lists(st.booleans(), min_size=12, max_size=12), segment=st.sampled_from([4, 5, 100])
)
def test_the_later_place_of_two_is_the_one(commits: list[list[bytes]], absorbed: list[bool], segment: int) -> None:
    """Wherever they lie: in one dictionary or in two, and among the rows that the table gets."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(places_module, "SEGMENT", segment)
        places, model, entry = Places(), {}, 0
        for txids, is_absorbed in zip(commits, absorbed, strict=False):
            new = dict(zip(txids, range(entry, entry + len(txids)), strict=True))
            entry += 1_000
            model |= new
            if is_absorbed:
                newer = Places()
                newer.update(new)
                places.absorb(newer)
            else:
                places.update(new)
    assert [places.get(txid) for txid in TXIDS] == [model.get(txid) for txid in TXIDS]
    assert len(model) <= len(places) <= sum(map(len, commits))
    records = sort_records(list(place_records(places.items())), PLACE_RECORD_BYTES).tobytes()
    rows = [records[at : at + PLACE_RECORD_BYTES] for at in range(0, len(records), PLACE_RECORD_BYTES)]
    assert {row[:32]: decode_entry(row[32:]) for row in rows} == model
