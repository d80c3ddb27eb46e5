"""The application that worker processes of the tests about limits run."""

from framework_m import FrameworkM

app = FrameworkM(modules=["tests.support.limited_jobs"])
