"""World: a workspace with runs of some age, made of real records, entries, snapshots and outputs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from mlsteps.cleaning import Report, Rules, Stores, clean
from mlsteps.data import PortDataReference, Producer
from mlsteps.data.stores import Store
from mlsteps.launcher.manifest import FileEntry, Manifest
from mlsteps.records import DeclaredStep, ModelRecord, RunRecord, StepRecord, layout, register_model
from mlsteps.records.liveness import process_identity
from mlsteps.records.step import FAILED, RAN, REUSED, RUNNING
from mlsteps.reuse import layout as reuse_layout
from mlsteps.reuse.entry import EntryOutput, Origin, ReuseEntry
from mlsteps.reuse.listings import Listings, listing_path
from mlsteps.reuse.store import ReuseStore

from .memory import MemoryStore

NOW = datetime(2026, 6, 1, 12, tzinfo=timezone.utc)
DATA = b"made by a step"


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def fingerprint(number: int) -> str:
    return f"sha256k:{number:064x}"


@dataclass
class World:
    """A workspace. Ages are in days."""

    store: Store = field(default_factory=MemoryStore)
    others: tuple[Store, ...] = ()

    @property
    def stores(self) -> Stores:
        return Stores(self.store, self.others)

    @property
    def memory(self) -> MemoryStore:
        """Its store, where that is one in memory."""
        assert isinstance(self.store, MemoryStore)
        return self.store

    def clean(
        self, days: float = 30, keep_last: int = 1, dry_run: bool = False, now: datetime = NOW
    ) -> Report:
        return clean(self.stores, Rules(timedelta(days=days), keep_last, now), dry_run=dry_run)

    def gone(self, **rules: float) -> dict[str, int]:
        """How many things of each kind are deleted, of those kinds of which any are."""
        deleted = self.clean(**rules).deleted  # type: ignore[arg-type]
        return {kind: amount.number for kind, amount in deleted.items() if amount.number}

    def paths(self) -> set[str]:
        return {info.path for store in (self.store, *self.others) for info in store.list()}

    def has(self, path: str) -> bool:
        return any(next(store.list(path), None) is not None for store in (self.store, *self.others))

    # Making things

    def run(self, run_id: str, age: float, *declared: str, dag: str = "train", **more: Any) -> RunRecord:
        created = (NOW - timedelta(days=age)).isoformat()
        steps = tuple(DeclaredStep(task, task) for task in declared)
        record = RunRecord(dag, run_id, dag, created, steps=steps, **more)
        record.create(self.store)
        return record

    def ran(
        self,
        run: RunRecord,
        task: str = "prepare",
        number: int | None = None,
        *,
        path: str | None = None,
        on: Store | None = None,
        code: str = "code",
        again: bool = False,
        **more: Any,
    ) -> StepRecord:
        """A step that ran; with ``number`` its result is kept for reuse under that fingerprint."""
        record = self._began(run, task, code, number, **more)
        path = path or f"azureml/{record.step_run_id}/out"
        (on or self.store).write(f"{path}/data.csv", DATA)
        self.store.write(f"{record.try_folder}/files/model.pkl", b"model")
        reference = self._reference(record, path)
        self.store.write(reference["manifest"], manifest().to_json().encode())
        done = record.with_(
            state=RAN,
            outputs={"out": reference},
            source={"snapshot": f"sha256t:{sha(code)}"},
            inputs={"raw": {"datastore": "other", "path": "raw", "digest": f"sha256t:{sha('raw')}"}},
        )
        done.save(self.store)
        self.store.write(f"{layout.SNAPSHOTS}/{sha(code)}.zip", b"zip")
        if number is not None:
            for digest in (f"sha256t:{sha(code)}", f"sha256t:{sha('raw')}"):
                Listings(self.store).keep(digest, 1, lambda: {"a": "b"})
            ReuseStore(self.store).record(self._entry(done, run.created), replace=again)
        return done

    def reused(self, run: RunRecord, task: str, number: int) -> StepRecord:
        """A step that took over the result of a fingerprint."""
        entry = ReuseStore(self.store).read(fingerprint(number)).entry
        assert entry is not None
        record = self._record(run, task, number=number, try_number=0).with_(
            state=REUSED,
            key=entry.key,
            reused_from={**vars(entry.origin)},
            outputs={name: output.reference for name, output in entry.outputs.items()},
        )
        record.save(self.store)
        return record

    def failed(self, run: RunRecord, task: str = "prepare", **more: Any) -> StepRecord:
        record = self._began(run, task, "code", None, **more).with_(state=FAILED)
        self.store.write(f"azureml/{record.step_run_id}/out/half.csv", DATA)
        record.save(self.store)
        return record

    def running(
        self, run: RunRecord, task: str = "prepare", number: int | None = None, **more: Any
    ) -> StepRecord:
        return self._began(run, task, "code", number, where=process_identity(), **more)

    def model(self, record: StepRecord, name: str = "price") -> ModelRecord:
        return register_model(
            self.store,
            name=name,
            path=f"{record.try_folder}/files/model.pkl",
            created="2026-01-01T00:00:00+00:00",
            run_id=record.step_run_id,
            dag_id=record.dag_id,
            dag_run_id=record.run_id,
        )

    def _began(self, run: RunRecord, task: str, code: str, number: int | None, **more: Any) -> StepRecord:
        record = self._record(run, task, code, number, **more)
        record.save(self.store)
        return record

    def _record(
        self, run: RunRecord, task: str, code: str = "code", number: int | None = None, **more: Any
    ) -> StepRecord:
        known = {"map_index": -1, "try_number": 1, **more}
        return StepRecord(
            dag_id=run.dag_id,
            run_id=run.run_id,
            task_id=task,
            name=task,
            step_run_id=layout.step_run_id(
                run.dag_id, run.run_id, task, known["map_index"], known["try_number"]
            ),
            step_type="PythonScriptStep",
            state=RUNNING,
            fingerprint=None if number is None else fingerprint(number),
            key=key(code),
            **known,
        )

    def _reference(self, record: StepRecord, path: str) -> dict[str, Any]:
        who = Producer(record.dag_id, record.run_id, record.task_id, record.map_index, record.try_number)
        listed = f"{record.try_folder}/manifests/out.json"
        made = manifest()
        return PortDataReference(
            "out", "default", "blob", path, "directory", 1, made.bytes, made.digest, listed, who
        ).serialize()

    def _entry(self, record: StepRecord, created: str) -> ReuseEntry:
        assert record.fingerprint is not None
        return ReuseEntry(
            fingerprint=record.fingerprint,
            key=record.key,
            outputs={name: EntryOutput(reference, manifest()) for name, reference in record.outputs.items()},
            origin=Origin(
                record.dag_id,
                record.run_id,
                record.task_id,
                record.map_index,
                record.try_number,
                record.step_run_id,
                record.name,
                record.try_folder,
                "host",
                "user",
            ),
            created=created,
            seconds=1.0,
        )


def key(code: str = "code") -> Mapping[str, Any]:
    """As much of a key as matters here."""
    return {
        "code": f"sha256t:{sha(code)}",
        "inputs": {"raw": {"digest": f"sha256t:{sha('raw')}", "kind": "directory"}},
        "outputs": {"out": {"type": "PipelineData"}},
    }


def manifest() -> Manifest:
    entry = FileEntry("data.csv", len(DATA), f"sha256c:{sha('data')}")
    return Manifest.of("directory", (entry,))


def snapshot(code: str = "code") -> str:
    return f"{layout.SNAPSHOTS}/{sha(code)}.zip"


def listing(name: str = "code") -> str:
    return listing_path(f"sha256t:{sha(name)}")


def entry_path(number: int) -> str:
    return reuse_layout.entry(fingerprint(number))
