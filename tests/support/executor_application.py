"""An application whose jobs run in threads and processes, for `m worker`."""

from framework_m import FrameworkM

app = FrameworkM(modules=["tests.support.executor_jobs"])
