"""The guide to the site file names every key there is, and none that is not."""

import re
import tomllib
from pathlib import Path

from models.cooling_plant import CoolingPlant, HallLimits, LoopLimits
from models.held_heat import Mass, NamedMass, Tank
from models.site import (
    BaseLoad,
    DefaultSet,
    GpuPool,
    Phase,
    Planning,
    ShedGroup,
    Site,
    SyntheticJobs,
    WeatherSource,
    Wishes,
)
from models.site_asks import Budgets, Generator, Maintenance, Nodes, Outage, Promise, Service, Target, Water
from models.site_jobs import Elastic, Partner, Storage, Tenant
from models.supply import Battery, Feed, Grid, GridWindow, Solar, Wind
from models.tariff import Period, Season, Tariff
from models.telemetry import ModbusDevice, Mqtt, NvmlAgent, Prometheus, QueryRow, SampleRow, Scrape, Telemetry, TopicRow

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guide" / "site-file.md"
PARTS = (
    Site,
    Phase,
    GpuPool,
    DefaultSet,
    ShedGroup,
    Feed,
    Solar,
    Wind,
    Battery,
    Generator,
    Service,
    Budgets,
    Outage,
    Target,
    Promise,
    Water,
    CoolingPlant,
    Mass,
    NamedMass,
    Tank,
    Nodes,
    Maintenance,
    Storage,
    Partner,
    Tenant,
    Elastic,
    Grid,
    GridWindow,
    Tariff,
    Season,
    Period,
    BaseLoad,
    Wishes,
    WeatherSource,
    Planning,
    SyntheticJobs,
    Telemetry,
    NvmlAgent,
    Scrape,
    SampleRow,
    Prometheus,
    QueryRow,
    ModbusDevice,
    Mqtt,
    TopicRow,
)


def test_every_key_is_in_the_guide():
    text = GUIDE.read_text()
    keys = {key for part in PARTS for key in part.model_fields}
    assert {key for key in keys if not re.search(rf"\b{key}\b", text)} == set()


def test_every_key_with_a_unit_in_the_guide_exists():
    known = {key for part in (*PARTS, HallLimits, LoopLimits) for key in part.model_fields}
    from models.cooling_plant import CoolingSide, CoolingUnit

    known |= {*CoolingSide.model_fields, *CoolingUnit.model_fields}
    named = set(re.findall(r"`([a-z0-9_]+_(?:mw|mwh|w|c|k|h|s|m|deg|kg|minutes|per_[a-z_]+))`", GUIDE.read_text()))
    assert named - known == set()


def test_the_examples_parse():
    blocks = re.findall(r"```toml\n(.*?)```", GUIDE.read_text(), re.S)
    assert blocks
    for block in blocks:
        tomllib.loads(block)
