#!/usr/bin/env bash
# Installs the real servers and the browser that `pytest -m peer` uses. One function a peer; each
# says what it installs and why. Needs root for the package manager; without it, says so and goes
# on, and the tests skip loudly what is missing. (`type -P`, since `command -v` would find the function itself.)
set -u

quiet_apt() {
  if [ "$(id -u)" -ne 0 ]; then
    echo "peers: $1 is not installed and only root may install it" >&2
    return 1
  fi
  if [ -z "${APT_UPDATED:-}" ]; then
    apt-get -qq update && APT_UPDATED=1
  fi
  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends \
    -o DPkg::Lock::Timeout=300 "$@" >/dev/null
}

influxdb() { # InfluxDB 1.6.7: the telemetry backend, written and read for real
  type -P influxd >/dev/null && return 0
  quiet_apt influxdb
}

victoria() { # VictoriaMetrics: a second server that takes line protocol on the v2 path itself
  command -v victoria-metrics >/dev/null || quiet_apt victoria-metrics
}

prometheus() { # Prometheus and node_exporter: scraped, and asked over the HTTP API
  type -P prometheus >/dev/null && type -P prometheus-node-exporter >/dev/null && return 0
  quiet_apt prometheus prometheus-node-exporter
}

mosquitto() { # an MQTT broker
  [ -x /usr/sbin/mosquitto ] || type -P mosquitto >/dev/null || quiet_apt mosquitto
}

chromium() { # a real browser for the operator's page; the system's, Playwright downloads nothing
  [ -x /usr/bin/chromium ] || [ -x /usr/bin/chromium-browser ] || quiet_apt chromium
}

slurm() { # Slurm 22.05 with its daemons; the tests start a cluster of pretended nodes
  command -v slurmctld >/dev/null && command -v slurmd >/dev/null && command -v munged >/dev/null &&
    command -v slurmrestd >/dev/null && return 0
  quiet_apt slurmctld slurmd slurm-client slurmrestd slurm-wlm-basic-plugins munge liblua5.3-0
}

missing=0
for peer in ${PEERS:-influxdb victoria prometheus mosquitto chromium slurm}; do
  if "$peer"; then
    echo "peers: $peer is here"
  else
    echo "peers: $peer is MISSING; its tests will be skipped" >&2
    missing=1
  fi
done
[ "$(id -u)" -ne 0 ] || exit $missing
