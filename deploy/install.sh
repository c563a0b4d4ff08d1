#!/bin/sh
# Install this bundle into a folder, with no network: sh install.sh /opt/chergui
# PYTHON names the interpreter (the bundle's name says for which version its wheels are).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
target=${1:?"name the folder to install into, such as /opt/chergui"}
python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "chergui needs Python 3.11 or newer; name one: PYTHON=python3.11 sh install.sh $target" >&2
  exit 1
}
mkdir -p "$target"
"$python" -m venv --without-pip "$target/.venv" # pip comes from the bundle: no ensurepip, no index
install() {
  PYTHONPATH=$(echo "$here"/wheels/pip-*.whl) PIP_CONFIG_FILE=/dev/null "$target/.venv/bin/python" -m pip install \
    --quiet --disable-pip-version-check --no-input --no-index --find-links "$here/wheels" "$@"
}
install --require-hashes -r "$here/runtime.lock"
install --no-deps "$here"/wheels/chergui-*.whl
(cd "$target" && .venv/bin/python -P -m optimizer.large.warm)
cp -r "$here/sites" "$target/"
echo "chergui: installed. Look first: $target/.venv/bin/chergui doctor --data-dir $target/var"
echo "chergui: then: $target/.venv/bin/chergui run --site $target/sites/dakhla.toml --data-dir $target/var"
