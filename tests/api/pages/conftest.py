import pytest

from models.horizon import use_packaged_time_zones


@pytest.fixture(scope="session", autouse=True)
def packaged_zones():
    """Every entry point of the product does the same before its first zone."""
    use_packaged_time_zones()
