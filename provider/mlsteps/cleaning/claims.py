"""Claims of processes that ended without a word: nobody waits for them, but their files stay."""

from __future__ import annotations

from collections import defaultdict

from mlsteps.cleaning.report import Amount
from mlsteps.data.stores import Store
from mlsteps.reuse import layout
from mlsteps.reuse.claim import Claim, Claims


def dead_claims(store: Store) -> dict[str, Amount]:
    """How much is left of dead claims, by fingerprint. A holder that may be alive is not among them."""
    found = defaultdict[str, Amount](Amount)
    for info in store.list(layout.CLAIMS):
        fingerprint = f"{layout.KIND}:{info.path.rpartition('/')[2].partition('.')[0]}"
        if layout.is_fingerprint(fingerprint):
            found[fingerprint] += Amount(files=1, bytes=info.size)
    claims = Claims(store)
    return {
        fingerprint: Amount(1) + amount
        for fingerprint, amount in found.items()
        if claims.current(fingerprint, claims.watch()) is None
    }


def remove_claim(store: Store, fingerprint: str) -> bool:
    """Take over from the dead holder as a step would, and let go; whether somebody else was faster."""
    claim = Claims(store).try_acquire(fingerprint, {"task_id": "mlsteps gc"})
    if isinstance(claim, Claim):
        claim.release()
        return True
    return False
