"""What the columns of a CSV file are, by all of its values; for a table that is made for it."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from mlsteps.data.sql.csv_text import parse
from mlsteps.data.sql.result_types import INSTANT, TIME, TIMESTAMP

# In this order; text is what everything is. A date is a timestamp too, so it comes first.
_CANDIDATES = (pa.int64(), pa.float64(), pa.bool_(), pa.date32(), TIMESTAMP, INSTANT, TIME)
# Numbers that are names rather: 007, and what has a plus or a space.
_NO_NUMBER = r"^[-+]?0[0-9]|^\+|^\s|\s$"
_WORDS = r"^(?i:true|false)$"


class CsvTypes:
    """Narrows down the types of columns while their values, as text, go by."""

    def __init__(self, names: Sequence[str]) -> None:
        self._left = {name: list(_CANDIDATES) for name in names}
        self._seen: set[str] = set()

    def see(self, batch: pa.RecordBatch) -> None:
        """Leave out the types that values of ``batch`` do not have."""
        for name, texts in zip(batch.schema.names, batch.columns, strict=True):
            if texts.null_count < len(texts):
                self._seen.add(name)
                self._left[name] = [kind for kind in self._left[name] if _is_all(texts, kind)]

    def schema(self) -> pa.Schema:
        """The columns; text for those without any value."""
        return pa.schema(
            [
                pa.field(name, left[0] if left and name in self._seen else pa.string())
                for name, left in self._left.items()
            ]
        )


def _is_all(texts: pa.Array, kind: pa.DataType) -> bool:
    if pa.types.is_boolean(kind):  # Arrow takes 0 and 1 as well
        return not pc.any(pc.invert(pc.match_substring_regex(texts, _WORDS))).as_py()
    number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    if number and pc.any(pc.match_substring_regex(texts, _NO_NUMBER)).as_py():
        return False
    try:
        parse(texts, kind)
    except pa.ArrowException:
        return False
    return True
