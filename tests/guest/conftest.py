"""Gives each scenario file its guest, booted once."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import harness  # noqa: E402


@pytest.fixture(scope="module")
def guest(request):
    """The guest that ran this file's INSIDE."""
    name = request.module.__name__.rpartition(".")[2].removeprefix("scenario_")
    # The boot shows its progress, whatever pytest captures.
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print(flush=True)
        try:
            return harness.run(
                name,
                request.module.INSIDE,
                rtc=getattr(request.module, "RTC", "vm"),
                keep_disk=getattr(request.module, "KEEP_DISK", False),
            )
        except harness.GuestFailed as failure:
            why = str(failure)
    pytest.fail(why, pytrace=False)


def pytest_terminal_summary(terminalreporter):
    """What was measured, of runs that pass too."""
    if harness.FIGURES:
        terminalreporter.section("measured")
        for figure in harness.FIGURES:
            terminalreporter.write_line(figure)
