#!/bin/sh
# Make or bring up to date .venv from a lock: `sh deploy/setup.sh runtime|dev` in the repository's root.
# uv where it is found (CHERGUI_NO_UV=1 hides it), else Python's own venv and pip. Hashes are always
# checked; our own package is installed last, with nothing left for an index to answer.
set -eu
which=$1
locks="-r requirements/runtime.lock -r requirements/build.lock"
[ "$which" = runtime ] || locks="$locks -r requirements/$which.lock"
began=$(date +%s)
if [ -z "${CHERGUI_NO_UV:-}" ] && command -v uv >/dev/null 2>&1; then
  tool=uv
  [ -x .venv/bin/python ] || uv venv --quiet --allow-existing --python '>=3.11' .venv
  # compiled now, or the first plan waits for it: pip does so by itself
  install="uv pip install --quiet --compile-bytecode --python .venv/bin/python"
else
  tool=pip
  python=${PYTHON:-python3}
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "chergui needs Python 3.11 or newer; $python is older (or absent). Name another: make setup PYTHON=python3.12" >&2
    exit 1
  }
  if [ ! -x .venv/bin/python ] || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    "$python" -m venv .venv
  fi
  install=".venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input"
fi
echo "chergui: setting up .venv from requirements/$which.lock with $tool ..."
$install --require-hashes --only-binary :all: $locks
$install --no-deps --no-build-isolation --no-index -e .
# The interactive charts' script is made once from what vl-convert carries; the server's SVG needs none.
if [ -f api/pages/bundle.py ]; then .venv/bin/python -c "from api.pages import bundle; bundle.build()"; fi
# The planner's arithmetic is compiled once, so that no plan waits for it.
.venv/bin/python -P -m optimizer.large.warm
touch .venv/runtime.stamp
[ "$which" = runtime ] || touch ".venv/$which.stamp"
echo "chergui: .venv is ready after $(($(date +%s) - began)) s"
