"""The learned COP in the service: learned from meters by a command, in the plan with its evidence, or why not."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from typer.testing import CliRunner

from api.commands.learn import learn_app
from api.knowledge import Knowledge
from api.learned_cooling import learned_pieces, metered_plant, taught, with_learned_cop
from api.schemas import CurveView
from ingest.points import Point, canonical, to_ns
from ingest.site_file import read_site, sample_path
from ingest.stores.memory import MemoryStore
from models import cooling
from models.errors import InvalidInput
from models.horizon import Horizon, parse_rfc3339, rfc3339
from optimizer.compose import Availability, assumed_state, compose

NOW = parse_rfc3339("2026-06-01T06:00:00Z")
HOUR = timedelta(hours=1)
DAYS = 30
BULBS = [24.0] * 4, [18.0] * 4


@pytest.fixture(scope="module")
def site():
    found = read_site(sample_path("dakhla"))
    return found.model_copy(update={"cooling": found.cooling.model_copy(update={"learned": True})})


@pytest.fixture(scope="module")
def readings(site):
    """(time, heat MW, power MW, dry bulb) of a plant that draws more at high load than its catalogue says."""
    rng = np.random.default_rng(2)
    hours = np.arange(DAYS * 24)
    top = float(cooling.plant_capacity_mw(35.0, 35.0, site.cooling))
    heat = top * (0.5 + 0.25 * np.sin(hours * 2 * np.pi / 24) + 0.05 * rng.normal(size=len(hours)))
    dry = 24 + 5 * np.sin(hours * 2 * np.pi / 24) + rng.normal(0, 1.0, len(hours))
    power = cooling.plant_power_mw(heat, dry, dry, site.cooling) * (1 + 0.5 * (heat / top) ** 2)
    return [NOW - (len(hours) - k) * HOUR for k in hours], heat, power * (1 + rng.normal(0, 0.01, len(hours))), dry


@pytest.fixture
def metered(site, readings, tmp_path):
    store = MemoryStore()
    tags = canonical({"site": site.name})
    points = [
        Point(
            "site",
            tags,
            (("it_mw", float(h * site.distribution_efficiency)), ("cooling_mw", float(p)), ("dry_bulb_c", float(d))),
            to_ns(at),
        )
        for at, h, p, d in zip(*readings, strict=True)
    ]
    store.write(points, NOW)
    return Knowledge(tmp_path, site.name, store)


def test_the_meters_teach_and_the_plan_takes_the_pieces_with_their_evidence(site, metered):
    found, verdict = taught(site, metered_plant(site, NOW, metered), NOW, metered)
    assert verdict.serves, found.scores
    pieces = learned_pieces(site, *BULBS, NOW, metered)
    physics = cooling.tangents(site.cooling, *BULBS)
    heat = 0.7 * physics.capacity_heat_mw[0]
    ours, theirs = ((t.slope[:, 0] * heat + t.intercept_mw[:, 0]).max() for t in (pieces.tangents, physics))
    assert ours > 1.05 * theirs, "what high load really costs"
    horizon = Horizon(NOW, timedelta(minutes=15), 4)
    flat = [0.0] * 4
    availability = Availability(flat, flat, dry_bulb_c=BULBS[0], wet_bulb_c=BULBS[1], cooling=pieces.tangents)
    day = compose(site, horizon, availability, [], assumed_state(site), "d")
    assert day["cooling"]["tangents"][0]["slope"] == pytest.approx(pieces.tangents.slope[0].tolist())
    (row,) = with_learned_cop([{"kind": "cooling", "name": "air", "source": "catalogue"}], pieces)
    assert CurveView(**row).evidence == "measured"
    assert "held-out error: learned" in row["source"]
    assert row["error_mw"] == pytest.approx(float(pieces.tangents.error_mw.max()), abs=1e-5)


def test_a_site_that_does_not_ask_or_has_nothing_keeps_its_physics(site, metered):
    plain = site.model_copy(update={"cooling": site.cooling.model_copy(update={"learned": False})})
    assert learned_pieces(plain, *BULBS, NOW, metered).not_used is None
    assert learned_pieces(site, *BULBS, NOW, None).tangents is None
    none = learned_pieces(site, *BULBS, NOW, metered)
    assert none.tangents is None
    assert "chergui learn plant" in none.not_used
    (row,) = with_learned_cop([{"kind": "cooling", "name": "air", "source": "catalogue"}], none)
    assert row["source"].startswith("catalogue; the learned COP does not serve: ")


def test_a_damaged_file_another_plant_or_another_version_falls_back_and_says_so(site, metered):
    taught(site, metered_plant(site, NOW, metered), NOW, metered)
    air = site.cooling.air.model_copy(update={"rated_heat_mw": site.cooling.air.rated_heat_mw * 2})
    other = site.model_copy(update={"cooling": site.cooling.model_copy(update={"air": air})})
    assert "another than it was learned for" in learned_pieces(other, *BULBS, NOW, metered).not_used
    file = next(metered.cops.folder.glob("*.skops"))
    file.write_bytes(file.read_bytes()[:-5])
    later = NOW + timedelta(days=1)
    assert "not those that the card was written for" in learned_pieces(site, *BULBS, later, metered).not_used
    (metered.cops.folder / "cop.json").write_text("{")
    assert "learn it anew" in learned_pieces(site, *BULBS, later, metered).not_used


def test_meters_that_are_missing_are_named(site, tmp_path):
    with pytest.raises(InvalidInput) as refused:
        metered_plant(site, NOW, Knowledge(tmp_path, site.name, MemoryStore()))
    assert {fault.pointer for fault in refused.value.faults} == {"site.it_mw", "site.cooling_mw"}


def test_a_stuck_heat_meter_does_not_teach(site, readings, tmp_path):
    store, tags = MemoryStore(), canonical({"site": site.name})
    times, _, power, dry = readings
    store.write(
        [
            Point("site", tags, (("it_mw", 4.0), ("cooling_mw", float(p)), ("dry_bulb_c", float(d))), to_ns(at))
            for at, p, d in zip(times, power, dry, strict=True)
        ],
        NOW,
    )
    with pytest.raises(InvalidInput, match="stuck sensor"):
        metered_plant(site, NOW, Knowledge(tmp_path, site.name, store))


def test_the_command_learns_from_a_file_and_says_what_to_write(readings, tmp_path):
    rows = [f"{rfc3339(at)},{h},{p},{d}" for at, h, p, d in zip(*readings, strict=True)]
    path = tmp_path / "plant.csv"
    path.write_text("time,heat_mw,power_mw,ambient_c\n" + "\n".join(rows) + "\n")
    words = ["plant", "--site", "dakhla", "--records", str(path), "--data-dir", str(tmp_path), "--now", rfc3339(NOW)]
    done = CliRunner().invoke(learn_app, words)
    assert done.exit_code == 0, done.output
    assert "promoted: error" in done.output
    assert "learned = true" in done.output
    assert (tmp_path / "cooling" / "dakhla" / "cop.json").is_file()
    path.write_text("time,heat_mw,power_mw,ambient_c\n" + "\n".join(rows[:50]) + "\n")
    refused = CliRunner().invoke(learn_app, words)
    assert refused.exit_code == 2
    assert "200 are needed" in refused.stderr


def test_a_timer_learns_only_where_plans_take_it(tmp_path):
    """A site that does not ask ends with 0; one that asks and has no meters yet says so and ends with 2."""
    text = sample_path("dakhla").read_text(encoding="utf-8")
    asks = tmp_path / "site.toml"
    asks.write_text(text.replace("[cooling]", "[cooling]\nlearned = true"), encoding="utf-8")
    assert read_site(asks).cooling.learned

    def weekly(site):
        return CliRunner().invoke(learn_app, ["plant", "--site", str(site), "--data-dir", str(tmp_path), "--if-used"])

    silent = weekly("dakhla")
    assert silent.exit_code == 0, silent.output
    assert "nothing learned" in silent.output
    assert not (tmp_path / "cooling").exists()
    told = weekly(asks)
    assert told.exit_code == 2
    assert "site.cooling_mw" in told.stderr
