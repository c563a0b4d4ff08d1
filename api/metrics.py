"""Prometheus metrics of the web process and of what it knows about the planner; names after ``chergui_*``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Info, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.collector_report import read_report

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class Metrics:
    """Counters of one web process, in a registry of its own."""

    def __init__(self, version: str) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "chergui_http_requests", "Requests answered", ["route", "method", "status"], registry=self.registry
        )
        self._points = Counter("chergui_telemetry_points", "Points handed in", ["result"], registry=self.registry)
        Info("chergui_build", "This installation", registry=self.registry).info({"version": version})

    def request(self, route: str, method: str, status: int) -> None:
        """Count a request; unknown methods share one label, so that nobody can grow the list."""
        self._requests.labels(route, method if method in _METHODS else "other", str(status)).inc()

    def points(self, result: str, count: int) -> None:
        """Count telemetry points."""
        self._points.labels(result).inc(count)

    def text(self) -> bytes:
        """Everything in the exposition format."""
        return generate_latest(self.registry)


def source_metrics(told: dict[str, Any] | None) -> Iterator[Metric]:
    """The collector's sources, what waits for the store, and flags by word, from its report; none without one."""
    if told is None:
        return
    rows = told["sources"]
    up = GaugeMetricFamily("chergui_source_up", "1: its last answer was good", labels=["source"])
    for row in rows:
        up.add_metric([row["name"]], 0 if row["failing"] else 1)
    yield up
    for key, text in (("polls", "Times asked"), ("failures", "Times it failed"), ("points", "Points that it gave")):
        counter = CounterMetricFamily(f"chergui_source_{key}", text, labels=["source"])
        for row in rows:
            counter.add_metric([row["name"]], row[key])
        yield counter
    for key, text in (
        ("age", "Since its last good values"),
        ("pause", "How long it is left alone after its last failure"),
        ("hanging", "How long the question now open has been waiting"),
    ):
        gauge = GaugeMetricFamily(f"chergui_source_{key}_seconds", text, labels=["source"])
        for row in rows:
            if row[f"{key}_s"] is not None:
                gauge.add_metric([row["name"]], row[f"{key}_s"])
        yield gauge
    yield GaugeMetricFamily("chergui_collector_waiting_points", "Waiting for the store", value=told["waiting"])
    yield CounterMetricFamily("chergui_collector_dropped_points", "Given up, memory was used up", value=told["dropped"])
    yield CounterMetricFamily("chergui_collector_refused_points", "No store will take them", value=told["refused"])
    flags = CounterMetricFamily("chergui_telemetry_flags", "Values flagged, by word", labels=["flag"])
    for word, count in told["flagged"].items():
        flags.add_metric([word], count)
    yield flags
    yield GaugeMetricFamily("chergui_telemetry_silent_series", "Series that have stopped", value=told["silent"])


class SiteCollector(Collector):
    """Reads plan store and signs of life when it is asked."""

    def __init__(self, doors: Any) -> None:
        self._doors = doors

    def describe(self) -> Iterator[Metric]:
        """Nothing to check before the first scrape."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Plan age, version, rung and gap; rounds of the planner; silence of the other processes; modes."""
        doors = self._doors
        held = doors.plans.now()
        site = doors.site.name
        gauge = GaugeMetricFamily("chergui_plan_version_seq", "Number of what is in force", labels=["site", "epoch"])
        gauge.add_metric([site, str(held.version.epoch)], held.version.seq)
        yield gauge
        edition = doors.plans.current()
        if edition is not None:
            yield from self._plan(edition, site)
        counts = CounterMetricFamily("chergui_planner_cycles", "Rounds of the planner", labels=["outcome"])
        for outcome, count in doors.plans.cycle_counts().items():
            counts.add_metric([outcome], count)
        yield counts
        silence = GaugeMetricFamily("chergui_process_silent_seconds", "Since the last sign of life", labels=["process"])
        for name, sign in (("planner", doors.planner), ("collector", doors.collector)):
            silence.add_metric([name], sign.silent_s())
        yield silence
        yield from source_metrics(read_report(doors.settings.collector_path))
        modes = GaugeMetricFamily("chergui_mode_info", "Mode of a pool or asset", labels=["target", "mode"])
        for name, target in sorted(held.targets.items()):
            modes.add_metric([name, target.mode.value], 1)
        yield modes

    def _plan(self, edition: dict[str, Any], site: str) -> Iterator[Metric]:
        from models.horizon import parse_rfc3339

        plan = edition["plan"]
        created = parse_rfc3339(edition["created_at"])
        facts: list[tuple[str, str, float | None]] = [
            ("plan_last_published_timestamp_seconds", "When the plan in force was published", created.timestamp()),
            ("plan_age_seconds", "Age of the plan in force", (self._doors.clock.now() - created).total_seconds()),
            ("solve_seconds", "How long the plan in force took", plan["solve_seconds"]),
            ("solve_gap_ratio", "Proven gap of the plan in force", plan["gap"]),
        ]
        for name, text, value in facts:
            if value is not None:
                gauge = GaugeMetricFamily(f"chergui_{name}", text, labels=["site"])
                gauge.add_metric([site], value)
                yield gauge
        rung = GaugeMetricFamily("chergui_plan_rung", "Rung of the plan in force", labels=["site", "rung"])
        rung.add_metric([site, plan["rung"]], 1)
        yield rung
