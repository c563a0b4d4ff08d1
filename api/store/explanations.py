"""What was told of published plans: statements with their numbers, kept as long as the plans that they speak of."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.dialects.sqlite import insert

from api.plan_store import packed, unpacked
from api.question import Question
from api.store.engine import reading, writing
from api.store.tables import explanations
from ingest.ports import Clock
from models.horizon import rfc3339

RELEASE = version("chergui")
"""A later release may fill its sentences with other facts, so that it asks anew what an earlier one was told."""


class ExplanationStore:
    """Explanations by plan and question. The first one told stays: a time-limited search would not end alike twice."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def get(self, plan_id: str, question: Question) -> dict[str, Any] | None:
        """What this release was told; None where it has not been asked."""
        with reading(self._engine) as connection:
            blob = connection.execute(
                select(explanations.c.document).where(
                    explanations.c.plan_id == plan_id,
                    explanations.c.question == question.key,
                    explanations.c.release == RELEASE,
                )
            ).scalar()
        return None if blob is None else unpacked(blob)

    def keep(self, plan_id: str, question: Question, told: dict[str, Any]) -> dict[str, Any]:
        """Keep an answer and return the one that is kept: another's, where somebody was told first."""
        values = {
            "other_id": question.other,
            "told_at": rfc3339(self._clock.now()),
            "release": RELEASE,
            "document": packed(told),
        }
        with writing(self._engine) as connection:
            blob = connection.execute(
                insert(explanations)
                .values(plan_id=plan_id, question=question.key, **values)
                .on_conflict_do_update(
                    index_elements=["plan_id", "question"], set_=values, where=explanations.c.release != RELEASE
                )
                .returning(explanations.c.document)
            ).scalar()
        return told if blob is not None else self.get(plan_id, question) or told
