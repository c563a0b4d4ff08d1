"""A report of ``python -m bench.peers --out`` as the tables that stand in the documentation."""

from __future__ import annotations

from typing import Any

HEAD = (
    "| peer | cost | to the best known | broken | whole process, s | CPU, s | build, s | solve, s | build + solve × "
    "| CPU × |",
    "|---|---|---|---|---|---|---|---|---|---|",
)


def markdown(report: dict[str, Any]) -> str:
    """One table an instance, our own seconds by stage, the goals, and the conditions."""
    parts = []
    for instance in dict.fromkeys(row["instance"] for row in report["rows"]):
        rows = [_line(row) for row in report["rows"] if row["instance"] == instance]
        parts.append("\n".join([f"**{instance}**", "", *HEAD, *rows]))
    if report["ours_inside"]:
        stages = [stage for stage in next(iter(report["ours_inside"].values())) if stage != "build_share"]
        head = f"| ours inside, s | {' | '.join(stages)} | model's share |"
        lines = [
            f"| {name} | {' | '.join(f'{split[s]:.2f}' for s in stages)} | {split['build_share']:.0%} |"
            for name, split in report["ours_inside"].items()
        ]
        parts.append("\n".join([head, "|---" * (len(stages) + 2) + "|", *lines]))
    if report["goals"]:
        parts.append("\n".join(["| goal | " + " | ".join(_instances(report)) + " |", *_goals(report)]))
    return "\n\n".join([*parts, conditions(report)])


def conditions(report: dict[str, Any]) -> str:
    """Date, machine, load and what was asked, in a sentence."""
    machine, asked = report["machine"], report["asked"]
    before, after = machine["load_before"][0], machine["load_after"][0]
    return (
        f"Measured {report['begun'][:10]} on one of {machine['cores']} {machine['processor']} cores, load {before:g} "
        f"before and {after:g} after, Python {machine['python']}; {asked['repeats']} run(s) of each, gap "
        f"{asked['gap']:g}, {asked['limit_s']:g} s."
    )


def _line(row: dict[str, Any]) -> str:
    if row["cost"] is None:
        return f"| {row['peer']} | none: {row['cause']} |" + " |" * 8
    above, name = row["above_reference_percent"], row["peer"]
    cells = [
        f"{name} ({row['runs']} run(s); then: {row['cause']})" if row["cause"] else name,
        f"{row['cost']:,.2f}",
        "" if above is None else f"{above:+z.3f} %",
        str(row["violations"]),
        *(f"{row[key]:.2f}" for key in ("whole_s", "cpu_s", "build_s", "solve_s")),
        *(_ratio(row[key]) for key in ("build_and_solve_to_highspy", "cpu_to_highspy")),
    ]
    return f"| {' | '.join(cells)} |"


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _instances(report: dict[str, Any]) -> list[str]:
    return list(dict.fromkeys(goal["instance"] for goal in report["goals"]))


def _goals(report: dict[str, Any]) -> list[str]:
    instances = _instances(report)
    lines = ["|---" * (len(instances) + 1) + "|"]
    for what in dict.fromkeys(goal["what"] for goal in report["goals"]):
        told = {g["instance"]: g for g in report["goals"] if g["what"] == what}
        cells = [_told(told[name]) if name in told else "" for name in instances]
        lines.append(f"| {what} | {' | '.join(cells)} |")
    return lines


def _told(goal: dict[str, Any]) -> str:
    return str(goal["figure"]) if goal["met"] or goal["met"] is None else f"{goal['figure']}, **not met**"
