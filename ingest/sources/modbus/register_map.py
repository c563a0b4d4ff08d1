"""Register maps: what stands where in a device, as data in TOML files; see README.md for the keys.

Addresses are those on the wire, from 0. A manual's "holding register 40001" or "30001" is address 0 of its table.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from ingest.catalogue import conversion
from ingest.sources.modbus.decode import WIDTH, Kind
from models.checking import Checked, Count, Evidence, Flag, Number, Text, Whole, validated
from models.errors import Fault, InvalidInput
from models.telemetry import MetricName, TagName, TagText

Table = Literal["holding", "input", "coil", "discrete"]
Address = Annotated[Whole, Field(ge=0, le=65535)]
BITS: tuple[Table, ...] = ("coil", "discrete")


class Register(Checked):
    """A value of a device. In a SunSpec model ``address`` counts from the model's own first register (its id)."""

    table: Table = "holding"
    address: Address
    type: Kind = "uint16"
    metric: MetricName
    unit: Text = Field("", description="after scale and offset; none: as the metric is kept")
    scale: Number = 1.0
    offset: Number = 0.0
    scale_at: Address | None = Field(None, description="where a power of ten stands (SunSpec's scale factors)")
    bit: Annotated[Whole, Field(ge=0, le=63)] | None = Field(None, description="bit of the value, 0 the lowest")
    blanks: tuple[Whole, ...] = Field((), description="raw values that mean: none")
    tags: dict[TagName, TagText] = Field({})
    note: Text = ""

    def faults(self) -> Iterable[Fault]:
        """A unit that does not fit the metric, a value that runs over the end, bits of what has none."""
        try:
            conversion(self.metric, self.unit)
        except ValueError as error:
            yield Fault("unit", "bad_unit", str(error))
        if self.address + self.words > 65536:
            yield Fault("address", "beyond_end", f"{self.type} at {self.address} runs over the last register; move it")
        if self.table in BITS and (self.type != "uint16" or self.scale_at is not None or self.bit is not None):
            yield Fault("table", "one_bit", f"a {self.table} is one bit; remove type, scale_at and bit")
        if self.bit is not None and (self.type.startswith("float") or self.bit >= 16 * WIDTH[self.type]):
            yield Fault("bit", "no_such_bit", f"{self.type} has no bit {self.bit}; write a lower one or another type")

    @property
    def words(self) -> int:
        """Registers that the value takes (for a coil: 1)."""
        return 1 if self.table in BITS else WIDTH[self.type]


class Model(Checked):
    """A SunSpec model, wherever the device has it; ``ids`` are those with the same layout."""

    ids: tuple[Annotated[Whole, Field(ge=1, le=65534)], ...] = Field(min_length=1)
    registers: tuple[Register, ...] = Field(min_length=1)


class RegisterMap(Checked):
    """A device. ``evidence`` says whether it was measured, read in a manual (prior) or made up (assumed)."""

    title: Text
    source: Text
    evidence: Evidence
    note: Text = ""
    word_order: Literal["big", "little"] = Field("big", description="of values of several registers")
    swapped_bytes: Flag = Field(False, description="the low byte of each register comes first")
    gap: Annotated[Whole, Field(ge=0, le=100)] = Field(8, description="unused registers read over rather than skipped")
    most: Annotated[Count, Field(le=125)] = Field(100, description="registers of one request")
    registers: tuple[Register, ...] = ()
    sunspec_bases: tuple[Address, ...] = Field((40000, 0, 50000), description="where a SunSpec chain may begin")
    models: tuple[Model, ...] = ()

    def faults(self) -> Iterable[Fault]:
        """Nothing to read, a metric twice, a model twice, more registers than a request takes."""
        if not self.registers and not self.models:
            yield Fault("registers", "nothing_to_read", "there are neither registers nor models; add one")
        groups = [("registers", self.registers)]
        groups += [(f"models[{k}].registers", model.registers) for k, model in enumerate(self.models)]
        for place, registers in groups:
            seen: dict[object, int] = {}
            for k, register in enumerate(registers):
                key = (register.metric, tuple(sorted(register.tags.items())))
                if key in seen:
                    message = f"{register.metric} already stands at {place}[{seen[key]}]; tell them apart by tags"
                    yield Fault(f"{place}[{k}].metric", "duplicate_metric", message)
                seen.setdefault(key, k)
                if register.words > self.most:
                    yield Fault("most", "too_few", f"{register.type} takes {register.words}; write that at least")
        ids = [number for model in self.models for number in model.ids]
        for number in sorted({number for number in ids if ids.count(number) > 1}):
            yield Fault("models", "duplicate_model", f"SunSpec model {number} stands twice; keep one")


def map_names() -> list[str]:
    """Maps that ship with the package."""
    return sorted(path.name.removesuffix(".toml") for path in (files("data") / "modbus").iterdir())


def read_map(name: str, folder: Path | None = None) -> RegisterMap:
    """A map that ships with the package, or a TOML file; ``folder`` is where relative paths begin.

    Raises:
        InvalidInput: there is none, or what is wrong in it, everything at once, by dotted path.
    """
    what = f"the register map {name}"
    try:
        if name in map_names():
            text = (files("data") / "modbus" / f"{name}.toml").read_text(encoding="utf-8")
        elif name.endswith(".toml"):
            text = ((folder or Path()) / name).read_text(encoding="utf-8")
        else:
            known = ", ".join(map_names())
            message = f"{name!r} is no map that ships with Chergui; write one of {known}, or a .toml file"
            raise InvalidInput(what, [Fault("", "unknown_map", message)])
        raw = tomllib.loads(text)
    except OSError as error:
        raise InvalidInput(what, [Fault("", "not_readable", f"{error.strerror}; check the path")]) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidInput(what, [Fault("", "not_toml", f"not TOML: {error}")]) from None
    return validated(RegisterMap, raw, what)
