"""For pytest."""

pytest_plugins = ["framework_m.testing.plugin"]
