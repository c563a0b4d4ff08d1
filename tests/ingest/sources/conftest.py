"""The NVML stand-in, compiled once a session and loaded by the real nvidia-ml-py."""

from __future__ import annotations

import ctypes

import pytest

from tests.support.gpu_world import COMPILER, SOURCE, World, build


@pytest.fixture(scope="session")
def nvml_library(tmp_path_factory):
    library = build(tmp_path_factory.mktemp("nvml"))
    ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)  # its SONAME now answers for libnvidia-ml.so.1
    return library


@pytest.fixture(scope="session")
def old_nvml_library(tmp_path_factory):
    return build(tmp_path_factory.mktemp("nvml-old"), "-DOLD_DRIVER")


@pytest.fixture
def world(nvml_library, tmp_path, monkeypatch):
    shown = World(tmp_path / "gpus.txt")
    monkeypatch.setenv("NVML_STAND_IN", str(shown.path))
    return shown


@pytest.fixture
def world_at():
    """Makes a world in a file of one's own choice, for a process of its own."""
    return World


@pytest.fixture
def stand_in_source():
    if COMPILER is None:
        pytest.skip("NO C COMPILER: the stand-in's signatures are not compared")
    return COMPILER, SOURCE
