"""What all tests share: property tests have no deadline, as a busy machine is no wrong result."""

from hypothesis import settings


def pytest_configure() -> None:
    # On top of the profile that Hypothesis chose, which repeats its examples where CI is set.
    settings.register_profile("dovetail", settings(), deadline=None)
    settings.load_profile("dovetail")
