"""What was measured, shown at the end of a run that passes too."""


def pytest_terminal_summary(terminalreporter):
    reports = [report for kept in terminalreporter.stats.values() for report in kept]
    figures = [
        text
        for report in reports
        for name, text in getattr(report, "user_properties", [])
        if name == "figure" and report.when == "teardown"
    ]
    if figures:
        terminalreporter.section("measured")
        for text in figures:
            terminalreporter.write_line(text)
