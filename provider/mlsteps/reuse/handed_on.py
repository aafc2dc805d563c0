"""A claim whose holder has ended while its work goes on elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import Any
from uuid import uuid4

from mlsteps.reuse.claim import Claim, Claims


class HandedOn:
    """What keeps such a claim alive, and takes it up again. Any number of them may exist, in any process.

    :param handed_on: What :meth:`~mlsteps.reuse.claim.Claim.hand_on` gave.
    """

    def __init__(self, claims: Claims, handed_on: Mapping[str, Any]) -> None:
        self._claims = claims
        self._fingerprint = str(handed_on["fingerprint"])
        self._id = str(handed_on["claim"])
        self._voice = uuid4().hex[:8]
        self._numbers = count()

    def give_sign(self) -> None:
        """Let those who wait know that it goes on. Errors of the store are raised."""
        self._claims.sign_elsewhere(self._fingerprint, self._id, f"{self._voice}-{next(self._numbers)}")

    def taken_up(self) -> Claim | None:
        """The claim again, to be released; None if somebody has taken over meanwhile."""
        return self._claims.adopt(self._fingerprint, self._id)
