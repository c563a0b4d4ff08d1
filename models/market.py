"""What a site file says about prices and carbon that come as series: from a file or an address, in which unit."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from models.checking import Above0, Checked, Name, Text
from models.errors import Fault


class MarketSeries(Checked):
    """A series of prices or of carbon: CSV or JSON, from a file beside the site file or an address that is asked."""

    path: Text | None = Field(None, description="a CSV or JSON file, relative to the site file")
    url: Text | None = Field(None, description="an http(s) address that answers CSV or JSON")
    unit: Text | None = Field(
        None, description="such as EUR/MWh, EUR/kWh, kg/MWh, g/kWh; none: what the series itself says"
    )
    value: Name = Field("value", description="column of a CSV, key of a JSON row")
    time: Name = Field("time", description="column or key of the start of each slot")
    timeout_s: Above0 = 20.0
    token_file: Text | None = Field(None, description="file whose first line is sent as bearer token")
    note: Text = ""

    def faults(self) -> Iterable[Fault]:
        """No place, two places, or a place that is none."""
        if (self.path is None) == (self.url is None):
            yield Fault("path", "one_place", "a series is in a file or at an address; give either path or url")
        if self.url is not None and not self.url.startswith(("http://", "https://")):
            yield Fault("url", "no_address", f"{self.url!r} is no http address; write path for a file")
        if self.token_file is not None and self.url is None:
            yield Fault("token_file", "not_used", "a file needs no token; remove it")


class Market(Checked):
    """Series that win over the tariff's prices and the grid's mean carbon, slot by slot, where they reach."""

    import_price: MarketSeries | None = Field(None, description="of imported energy; the tariff's tax is added")
    export_price: MarketSeries | None = None
    carbon: MarketSeries | None = Field(None, description="of imported energy")
