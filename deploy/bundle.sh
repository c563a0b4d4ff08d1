#!/bin/sh
# Make dist/chergui-VERSION-pyXY-linux-MACHINE.tar.gz from .venv's Python: wheels of the lock and our
# own, the lock, the sites, the units and an install script that needs no network. `make bundle`.
set -eu
python=.venv/bin/python
tag=$($python -c 'import importlib.metadata as m, sys, sysconfig
print(m.version("chergui") + "-py%d%d-" % sys.version_info[:2] + sysconfig.get_platform())')
name=chergui-$tag
stage=dist/$name
rm -rf "$stage" && mkdir -p "$stage/wheels"
pip="$python -m pip --quiet --disable-pip-version-check --no-input"
$pip download --require-hashes --only-binary :all: -d "$stage/wheels" -r requirements/runtime.lock -r requirements/build.lock
$pip wheel --no-deps --no-build-isolation --no-index -w "$stage/wheels" .
cp requirements/runtime.lock deploy/install.sh deploy/chergui*.service deploy/chergui*.timer LICENSE README.md "$stage/"
cp -r data/sites "$stage/sites"
tar -C dist -czf "dist/$name.tar.gz" "$name"
rm -rf "$stage"
echo "chergui: dist/$name.tar.gz, $(du -h "dist/$name.tar.gz" | cut -f1); unpack it and run: sh install.sh /opt/chergui"
