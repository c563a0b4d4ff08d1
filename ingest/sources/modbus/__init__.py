"""Meters, cooling and inverters over Modbus TCP by register maps; see README.md for maps, fields and units."""
