"""What a site file says about its telemetry: which sources are asked, and what their values mean here.

Checked alone, this knows no file and no catalogue; :mod:`ingest.telemetry_rules` looks those up. Secrets never stand
in a site file: ``*_file`` names a file that holds one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, Strict

from models.checking import Above0, AtLeast0, Checked, Count, Flag, Name, Text, Whole
from models.errors import Fault

MetricName = Annotated[str, Strict(), Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]*\.[A-Za-z_][A-Za-z0-9_]*$")]
TagName = Annotated[str, Strict(), Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
TagText = Annotated[str, Strict(), Field(pattern=r"^[^\x00-\x1f\x7f]{1,256}$")]
Port = Annotated[Whole, Field(ge=1, le=65535)]
_PLACE = re.compile(r"\{([^}]*)\}")
_PLACE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class NvmlAgent(Checked):
    """The GPUs of the machine that the collector runs on."""

    enabled: Flag = True
    period_s: Above0 = 10.0
    tags: dict[TagName, TagText] = Field({}, description="further tags, such as pool")


class SampleRow(Checked):
    """A sample of an exporter's page that becomes a metric of ours."""

    sample: Annotated[str, Strict(), Field(pattern=r"^[A-Za-z_:][A-Za-z0-9_:]*$")]
    labels: dict[TagName, Text] = Field({}, description="labels that must have just these values")
    metric: MetricName
    unit: Text = Field("", description="that the sample comes in; none: as the metric is kept")
    tags: dict[TagName, TagText] = Field({}, description="tags of this row")
    tags_from: dict[TagName, TagName] = Field({}, description="our tag = label that it is taken from")
    texts_from: dict[TagName, TagName] = Field({}, description="text field of ours = label that it is taken from")
    repeats: Literal["refuse", "max", "min", "sum", "mean"] = Field(
        "refuse", description="what several samples of one series and page become"
    )
    dcgm_blanks: Flag = Field(False, description="DCGM's numbers for 'no value' are left out")


class Scrape(Checked):
    """Pages of exporters (Prometheus text format), fetched by the collector itself."""

    name: Name
    urls: tuple[Text, ...] = Field(min_length=1)
    period_s: Above0 = 15.0
    timeout_s: Above0 = 5.0
    profile: Name | None = Field(None, description="rows that ship with the package")
    rows: tuple[SampleRow, ...] = ()
    tags: dict[TagName, TagText] = Field({})
    username: Text | None = None
    password_file: Text | None = None
    token_file: Text | None = None
    ca_file: Text | None = Field(None, description="certificates to trust instead of the machine's")
    max_page_mib: Count = 64
    note: Text = ""

    def faults(self) -> Iterable[Fault]:
        """Addresses that are none, nothing to read, more than one way to log in."""
        yield from _address_faults("urls", self.urls)
        if self.profile is None and not self.rows:
            yield Fault("rows", "nothing_to_read", "neither rows nor a profile says what to read; add one")
        yield from _login_faults(self.username, self.password_file, self.token_file)


class QueryRow(Checked):
    """A PromQL query whose result becomes a metric of ours."""

    query: Annotated[str, Strict(), Field(min_length=1)]
    metric: MetricName
    unit: Text = ""
    tags: dict[TagName, TagText] = Field({})
    tags_from: dict[TagName, TagName] = Field({})
    raw: Flag = Field(False, description="the query is a plain selector, and its samples are taken at their own times")
    repeats: Literal["refuse", "max", "min", "sum", "mean"] = "refuse"


class Prometheus(Checked):
    """A server with Prometheus' HTTP API (Prometheus, VictoriaMetrics, Thanos, Mimir)."""

    name: Name
    url: Text = Field(description="of the server, without /api/v1")
    period_s: Above0 = 60.0
    step_s: Count = Field(30, description="between values; not below the scrape interval")
    delay_s: AtLeast0 = Field(30.0, description="how long a scrape may take to arrive there")
    backfill_s: AtLeast0 = Field(3600.0, description="how far back the first question reaches")
    timeout_s: Above0 = 20.0
    rows: tuple[QueryRow, ...] = Field(min_length=1)
    tags: dict[TagName, TagText] = Field({})
    username: Text | None = None
    password_file: Text | None = None
    token_file: Text | None = None
    ca_file: Text | None = None
    note: Text = ""

    def faults(self) -> Iterable[Fault]:
        """An address that is none, more than one way to log in."""
        yield from _address_faults("url", (self.url,))
        yield from _login_faults(self.username, self.password_file, self.token_file)


class ModbusDevice(Checked):
    """A device that is read over Modbus TCP by a register map. Nothing is ever written to it."""

    name: Name
    host: Annotated[str, Strict(), Field(min_length=1)]
    port: Port = 502
    device_id: Annotated[Whole, Field(ge=0, le=255)] = Field(1, description="unit behind a gateway")
    map: Annotated[str, Strict(), Field(min_length=1)] = Field(
        description="a map that ships with the package, or a TOML file beside the site file"
    )
    asset: Name | None = Field(None, description="tag asset; none: the name")
    period_s: Above0 = 10.0
    timeout_s: Above0 = 3.0
    flip: tuple[MetricName, ...] = Field((), description="metrics whose sign this device has the other way round")
    tags: dict[TagName, TagText] = Field({})
    note: Text = ""


class TopicRow(Checked):
    """Messages of some topics that become a metric of ours."""

    topic: Annotated[str, Strict(), Field(min_length=1, max_length=65535)] = Field(
        description="{tag} stands for one level and becomes a tag; + and # as in MQTT"
    )
    format: Literal["number", "json", "line_protocol"] = "number"
    metric: MetricName | None = None
    unit: Text = ""
    value: Text | None = Field(None, description="for json: path of the value, such as power.total; none: value")
    time: Text | None = Field(None, description="for json: path of the time; none: time of arrival")
    time_unit: Literal["rfc3339", "s", "ms", "us", "ns"] = "rfc3339"
    precision: Literal["s", "ms", "us", "ns"] = Field("ns", description="for line_protocol: unit of its timestamps")
    tags: dict[TagName, TagText] = Field({})

    def faults(self) -> Iterable[Fault]:
        """A filter that no broker takes, a metric where none is used or none where one is."""
        yield from _topic_faults(self.topic)
        if self.format == "line_protocol":
            for key in ("metric", "value", "time"):
                if getattr(self, key) is not None:
                    yield Fault(key, "not_used", f"line_protocol says its own {key}; remove it")
        elif self.metric is None:
            yield Fault("metric", "missing", "this key is required; add it")
        if self.format == "number" and (self.value is not None or self.time is not None):
            yield Fault("format", "not_json", 'value and time are paths in JSON; write format = "json"')

    @property
    def places(self) -> tuple[str | None, ...]:
        """Per level of the topic: the tag that it becomes, None for none."""
        return tuple(level[1:-1] if _PLACE.fullmatch(level) else None for level in self.topic.split("/"))

    @property
    def filter(self) -> str:
        """What is subscribed to."""
        return "/".join("+" if _PLACE.fullmatch(level) else level for level in self.topic.split("/"))


class Mqtt(Checked):
    """Topics of an MQTT broker. A message is acknowledged once its values are on the disk."""

    name: Name
    host: Annotated[str, Strict(), Field(min_length=1)]
    port: Port = 1883
    tls: Flag = False
    ca_file: Text | None = None
    username: Text | None = None
    password_file: Text | None = None
    version: Literal["5", "3.1.1"] = "5"
    client_id: Name | None = Field(None, description="none: chergui-SITE-NAME; two of one name push each other out")
    keepalive_s: Count = 30
    session_expiry_h: Above0 = Field(24.0, description="how long the broker keeps messages for us while we are away")
    in_flight: Annotated[Count, Field(le=65535)] = Field(2000, description="messages that may wait for our disk")
    rows: tuple[TopicRow, ...] = Field(min_length=1)
    tags: dict[TagName, TagText] = Field({})
    note: Text = ""

    def faults(self) -> Iterable[Fault]:
        """A password without a name, certificates without TLS."""
        yield from _login_faults(self.username, self.password_file, None)
        if self.ca_file is not None and not self.tls:
            yield Fault("ca_file", "not_used", "certificates are for TLS only; write tls = true")


class Keep(Checked):
    """How many days the embedded store keeps what: every value as it came, then means of 1 and of 15 minutes."""

    raw_days: Count = 90
    minute_days: Count = 400
    quarter_days: Count = 3_650

    def faults(self) -> Iterable[Fault]:
        """A coarser level that goes before a finer one."""
        for finer, coarser in (("raw_days", "minute_days"), ("minute_days", "quarter_days")):
            few, many = getattr(self, coarser), getattr(self, finer)
            if few < many:
                yield Fault(coarser, "too_few", f"{few} is less than {finer} = {many}; keep coarser means for longer")


class InfluxServer(Checked):
    """An InfluxDB of the site's own that keeps the telemetry instead of the embedded store."""

    url: Text = Field(description="of the server, such as https://influx.example:8086")
    bucket: Annotated[str, Strict(), Field(min_length=1)] = Field(
        description="bucket of 2.x and 3; DATABASE or DATABASE/RETENTION_POLICY on 1.8"
    )
    org: Text = Field("-", description="organisation, where the server has them")
    token_file: Text | None = Field(None, description="holds the token; USER:PASSWORD on 1.8")
    timeout_s: Above0 = 10.0
    spool_mib: Count = Field(1024, description="of our disk that may wait for the server, a process")

    def faults(self) -> Iterable[Fault]:
        """An address that is none."""
        yield from _address_faults("url", (self.url,))


class Telemetry(Checked):
    """Every source of a site; what is not named is not asked. Pushed telemetry needs no entry."""

    keep: Keep = Keep()
    influxdb: InfluxServer | None = None

    nvml: NvmlAgent = NvmlAgent()
    scrape: tuple[Scrape, ...] = ()
    prometheus: tuple[Prometheus, ...] = ()
    modbus: tuple[ModbusDevice, ...] = ()
    mqtt: tuple[Mqtt, ...] = ()

    def faults(self) -> Iterable[Fault]:
        """A name twice: a source is known by it, wherever it stands."""
        seen = {"nvml": "nvml"}
        for section in ("scrape", "prometheus", "modbus", "mqtt"):
            for k, source in enumerate(getattr(self, section)):
                place = f"{section}[{k}]"
                if source.name in seen:
                    message = f"{source.name!r} already stands at telemetry.{seen[source.name]}; rename one"
                    yield Fault(f"{place}.name", "duplicate_name", message)
                seen.setdefault(source.name, place)


def _address_faults(key: str, urls: tuple[str, ...]) -> Iterable[Fault]:
    for k, url in enumerate(urls):
        place = f"{key}[{k}]" if key == "urls" else key
        try:
            parts = urlsplit(url)
            good = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1) > 0
        except ValueError:  # a port that is no number
            good = False
        if not good:
            yield Fault(
                place, "no_address", f"{url!r} is no http address; write one such as http://node01:9400/metrics"
            )
        elif parts.username is not None:
            yield Fault(place, "secret_in_url", "a login stands in the address; use username and password_file")


def _login_faults(username: str | None, password_file: str | None, token_file: str | None) -> Iterable[Fault]:
    if (username is None) != (password_file is None):
        lost = "password_file" if password_file is None else "username"
        yield Fault(lost, "missing", "username and password_file belong together; add this one or remove the other")
    if token_file is not None and username is not None:
        yield Fault("token_file", "two_logins", "a token and a user name are two ways to log in; keep one")


def _topic_faults(topic: str) -> Iterable[Fault]:
    levels = topic.split("/")
    seen: set[str] = set()
    for k, level in enumerate(levels):
        if level == "#" and k < len(levels) - 1:
            yield Fault("topic", "bad_topic", f"{topic!r}: # may only be the last level; move it")
        elif "#" in level and level != "#":
            yield Fault("topic", "bad_topic", f"{topic!r}: # must be a level of its own; write a/# and not a#")
        elif "+" in level and level != "+":
            yield Fault("topic", "bad_topic", f"{topic!r}: + must be a level of its own; write a/+/b")
        elif "{" in level or "}" in level:
            named = _PLACE.fullmatch(level)
            if named is None or not _PLACE_NAME.fullmatch(named[1]):
                yield Fault("topic", "bad_topic", f"{topic!r}: {level!r} is no {{tag}}; a level is all tag or none")
            elif named[1] in seen:
                yield Fault("topic", "bad_topic", f"{topic!r}: {{{named[1]}}} stands twice; rename one")
            else:
                seen.add(named[1])
