"""From view model and language to HTML: templates and the few texts that templates should not compute."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api.pages.charts import specs
from api.pages.charts.plant import PLANT
from api.pages.drawings import TIMED, inline
from api.pages.tables import Cell, tables
from api.pages.told import with_sentences
from api.pages.view import day_view, horizon_of, mode_of_all
from api.pages.words import LANGUAGES, UNKNOWN, Words, isolated, words
from models.horizon import parse_rfc3339

Asset = Callable[[str], str]
_MOST_NAMED = 8


@cache
def templates() -> Environment:
    """Every template, with nothing undefined let through."""
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def waiting_page(modes: dict[str, str], tongue: Words, asset: Asset) -> str:
    """The page before the first plan; it renews itself."""
    return templates().get_template("waiting.html").render(**common(tongue, asset), mode=mode_of_all(modes))


def why_page(edition: dict[str, Any], job: str, explanation: dict[str, Any] | None, tongue: Words, asset: Asset) -> str:
    """What an explanation of a job says, section by section; None: it is being found, and the page renews itself."""
    return (
        templates()
        .get_template("why.html")
        .render(
            **common(tongue, asset),
            site=edition.get("site") or edition["problem"]["site"]["name"],
            job=job,
            back=f"/plans/{edition['plan_id']}#gantt",
            sections=None if explanation is None else with_sentences(explanation, tongue),
        )
    )


def day_page(
    edition: dict[str, Any],
    modes: dict[str, str],
    now: datetime,
    tongue: Words,
    asset: Asset,
    script: str | None,
    *,
    archived: bool = False,
    actual: dict[str, Any] | None = None,
    held_back: int | None = None,
    simulated: dict[str, Any] | None = None,
) -> str:
    """The day as HTML: drawings where they are kept, tables always, script only to make it interactive."""
    view = day_view(edition, modes, now)
    zone = ZoneInfo(view["timezone"])
    charts = edition.get("charts") or {}
    made = {} if charts else specs(view, tongue.language)
    svgs: dict[str, Any] = {
        name: inline(name, chart["svg"][tongue.language], chart["spec"][tongue.language], view, view["live"]["now_ms"])
        for name, chart in charts.items()
    }
    svgs |= dict.fromkeys(made, "")  # not drawn yet: the browser draws them where it has a script

    def when(text: str | None) -> str:
        return tongue.when(None if text is None else parse_rfc3339(text), zone)

    def alt(name: str) -> str:
        note = tongue.t(f"chart.{name}.note") if tongue.has(f"chart.{name}.note") else ""
        return tongue.t("chart.alt", chart=tongue.t(f"chart.{name}"), note=note)

    return (
        templates()
        .get_template("day.html")
        .render(
            **common(tongue, asset),
            view=view,
            live=view["live"],
            svgs=svgs,
            timed=(*TIMED, *PLANT),
            plant_charts=[name for name in PLANT if name in svgs],
            tables=tables(view, tongue),
            when=when,
            alt=alt,
            script=script,
            archived=archived,
            actual=actual,
            held_back=held_back,
            simulated=simulated,
            cell_text=lambda cell, digits: _cell(cell, digits, tongue),
            slot_text=_slot_text(view, zone, tongue),
            saving_text=_saving_text(view, tongue),
            exceptions=_exceptions(view, tongue),
            pools_text=" · ".join(
                f"{name}: {tongue.t(f'mode.{mode}')}" for name, mode in view["live"]["modes"].items()
            ),
            leads=_leads(view, tongue),
            synthetic_jobs=sum(job["synthetic"] for job in view["jobs"]),
        )
    )


def common(tongue: Words, asset: Asset) -> dict[str, Any]:
    """What every template is given."""
    return {
        "t": tongue.t,
        "words": tongue,
        "asset": asset,
        "isolated": isolated,
        "mode_text": lambda mode: tongue.named("mode", mode),
        "languages": [{"code": code, "name": words(code).t("language.name")} for code in LANGUAGES],
    }


def _cell(cell: Cell, digits: int, tongue: Words) -> str:
    if cell is None:
        return UNKNOWN
    return cell if isinstance(cell, str) else tongue.number(cell, digits)


def _slot_text(view: dict[str, Any], zone: ZoneInfo, tongue: Words) -> str | None:
    slot = view["live"]["slot"]
    if slot is None:
        return None
    start = horizon_of(view).at(slot)
    end = start + timedelta(hours=view["horizon"]["step_h"])
    first, last = (isolated(moment.astimezone(zone).strftime("%H:%M")) for moment in (start, end))
    return tongue.t("figures.slot", start=first, end=last)


def _saving_text(view: dict[str, Any], tongue: Words) -> str | None:
    saving = view["saving"]
    if saving is None:
        return None
    baseline = tongue.quantity(saving["baseline_cost"], view["currency"], 0)
    if saving["saving"] < 0:
        dearer = tongue.quantity(-saving["saving"], view["currency"], 0)
        return tongue.t("saving.sentence_dearer", saving=dearer, baseline=baseline)
    saved = tongue.quantity(saving["saving"], view["currency"], 0)
    return tongue.t("saving.sentence", saving=saved, ratio=tongue.percent(saving["saving_ratio"]), baseline=baseline)


def _leads(view: dict[str, Any], tongue: Words) -> list[str]:
    """Headings of the skill by lead, as the first learned forecast was scored; none where none is learned."""
    scored = [told["scores"]["by_lead"] for told in view["forecasts"].values() if told["scores"] is not None]
    return [
        tongue.t("forecasts.lead_beyond", first=f"{lead['from_h']:g}")
        if lead["to_h"] is None
        else tongue.t("forecasts.lead", first=f"{lead['from_h']:g}", last=f"{lead['to_h']:g}")
        for lead in (scored[0] if scored else [])
    ]


def _exceptions(view: dict[str, Any], tongue: Words) -> list[dict[str, Any]]:
    """What is abnormal, the worst first, with the jobs concerned."""
    found = []
    for kind in ("unmet", "late", "risk", "held", "waiting"):
        count = view["live"]["counts"][kind]
        if not count:
            continue
        ids = [job["id"] for job in view["jobs"] if job["standing"] == kind]
        more = "" if count <= _MOST_NAMED else " …"
        text = tongue.n(f"exceptions.{kind}", count)
        found.append({"kind": kind, "text": text, "jobs": ", ".join(ids[:_MOST_NAMED]) + more})
    return found
