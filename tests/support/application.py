"""The application that worker processes of tests run; its settings come from the environment."""

from framework_m import FrameworkM
from tests.support.harness import JOBS

app = FrameworkM(JOBS)
