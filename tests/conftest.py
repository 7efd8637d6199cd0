"""Counts what the C test programs ran and left out, for the summary."""


def pytest_terminal_summary(terminalreporter):
    counted = [dict(r.user_properties) for r in terminalreporter.getreports("passed")]
    ran = [c["cmocka"] for c in counted if "cmocka" in c]
    left_out = sum(c.get("cmocka skipped", 0) for c in counted)
    if ran:
        terminalreporter.write_line(f"{sum(ran)} cmocka tests passed in {len(ran)} programs, {left_out} skipped")
