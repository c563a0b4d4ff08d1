"""Topics of an MQTT broker; see README.md for payloads, fields and units."""
