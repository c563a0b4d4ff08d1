#!/bin/sh
# Make dist/chergui-agent.pyz: the node agent, its leaves and NVML's binding in one file that needs Python 3.11 and
# nothing else. `make agent`; then on a node: python3 chergui-agent.pyz check --config /etc/chergui/agent.toml
set -eu
python=.venv/bin/python
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
mkdir -p "$stage/models" dist
cp -r agent "$stage/agent"
rm -rf "$stage/agent/guard" "$stage/agent/kit" "$stage/agent/__pycache__" # the guard reads its meter with more than that
for leaf in __init__ errors horizon lease strict_json; do cp "models/$leaf.py" "$stage/models/"; done
cp "$($python -c 'import pynvml; print(pynvml.__file__)')" "$stage/pynvml.py"
printf 'import runpy\nrunpy.run_module("agent", run_name="__main__")\n' > "$stage/__main__.py"
$python -m zipapp -c -p '/usr/bin/env python3' -o dist/chergui-agent.pyz "$stage"
echo "chergui: dist/chergui-agent.pyz, $(du -k dist/chergui-agent.pyz | cut -f1) kB"
