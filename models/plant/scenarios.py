"""What may go wrong at a simulated site, as data: events that begin some hours after the simulation does.

The planner is told nothing of them: its forecast is made of the undisturbed weather, so each is a surprise
and shows what plan, guard and operator make of it. Sizes are *assumed*, in the order of what such days bring.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Event:
    """Comes in over ``ramp_h``, holds for ``lasts_h``, goes over ``ramp_h``; shares are of what there would be."""

    begins_h: float
    lasts_h: float
    ramp_h: float = 0.0
    warmer_k: float = 0.0
    drier_pct: float = 0.0
    beam_share: float = 1.0
    diffuse_share: float = 1.0
    wind_share: float = 1.0
    windier_m_s: float = 0.0
    grid_share: float = 1.0
    cooling_share: float = 1.0
    dust_loss: float = 0.0
    """Of the PV power, and it stays after the event: nobody has washed the modules yet."""

    def weight(self, hours: float) -> float:
        """How far it has come ``hours`` after the begin, 0 to 1."""
        into, left = hours - self.begins_h, self.begins_h + 2 * self.ramp_h + self.lasts_h - hours
        if into < 0 or left <= 0:
            return 0.0
        return 1.0 if not self.ramp_h else min(1.0, into / self.ramp_h, left / self.ramp_h)

    def settled(self, hours: float) -> float:
        """Share of the dust that has settled."""
        span = self.ramp_h + self.lasts_h
        return min(1.0, max(0.0, (hours - self.begins_h) / span))


class Sky(NamedTuple):
    """Disturbance of the weather at an instant; ``dust_loss`` of the PV power."""

    warmer_k: float
    drier_pct: float
    beam_share: float
    diffuse_share: float
    wind_share: float
    windier_m_s: float
    dust_loss: float


class Works(NamedTuple):
    """What is left of the grid connection and of the cooling capacity, shares."""

    grid_share: float
    cooling_share: float


@dataclass(frozen=True, slots=True)
class Scenario:
    """A name, what it teaches, and its events."""

    name: str
    about: str
    events: tuple[Event, ...] = ()

    def sky(self, hours: float) -> Sky:
        """Disturbance of the weather ``hours`` after the begin."""
        kelvin = dryness = windier = 0.0
        beam = diffuse = wind = clean = 1.0
        for event in self.events:
            weight = event.weight(hours)
            kelvin += weight * event.warmer_k
            dryness += weight * event.drier_pct
            windier += weight * event.windier_m_s
            beam *= _faded(event.beam_share, weight)
            diffuse *= _faded(event.diffuse_share, weight)
            wind *= _faded(event.wind_share, weight)
            clean *= 1 - event.dust_loss * event.settled(hours)
        return Sky(kelvin, dryness, beam, diffuse, wind, windier, 1 - clean)

    def works(self, hours: float) -> Works:
        """What works ``hours`` after the begin."""
        grid = cooling = 1.0
        for event in self.events:
            weight = event.weight(hours)
            grid *= _faded(event.grid_share, weight)
            cooling *= _faded(event.cooling_share, weight)
        return Works(grid, cooling)


def _faded(share: float, weight: float) -> float:
    return 1 + (share - 1) * weight


CALM = "calm"
SCENARIOS: dict[str, Scenario] = {
    one.name: one
    for one in (
        Scenario(CALM, "the usual weather; nothing fails"),
        Scenario(
            "heatwave",
            "12 K above the forecast for two days, dry and with little wind: cooling eats the import limit",
            (Event(0.5, 46.0, 3.0, warmer_k=12.0, drier_pct=20.0, wind_share=0.6),),
        ),
        Scenario(
            "sandstorm",
            "six hours of dust: no beam, a gale up to the cut-out of the turbines, and dirty modules after it",
            (Event(1.0, 6.0, 0.5, beam_share=0.1, diffuse_share=1.1, windier_m_s=9.0, dust_loss=0.12),),
        ),
        Scenario(
            "grid-trip",
            "the feeder trips for a quarter of an hour, and half of it comes back for an hour",
            (Event(1.0, 0.25, grid_share=0.0), Event(1.25, 1.0, grid_share=0.5)),
        ),
        Scenario(
            "chiller-loss",
            "four of five chillers fail for two hours",
            (Event(1.0, 2.0, cooling_share=0.2),),
        ),
        Scenario(
            "forecast-bust",
            "clouds and a calm that no forecast saw, for eight hours",
            (Event(0.5, 8.0, 0.5, beam_share=0.15, diffuse_share=0.7, wind_share=0.4),),
        ),
    )
}
