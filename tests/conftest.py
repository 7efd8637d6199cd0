"""Counts what the C test programs ran, for the summary."""


def pytest_terminal_summary(terminalreporter):
    ran = [v for r in terminalreporter.getreports("passed") for k, v in r.user_properties if k == "cmocka"]
    if ran:
        terminalreporter.write_line(f"{sum(ran)} cmocka tests in {len(ran)} programs")
