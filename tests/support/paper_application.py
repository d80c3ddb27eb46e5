"""The application of papers, for processes; its settings come from the environment."""

from framework_m import FrameworkM
from tests.support.paper_fixtures import MODULES

app = FrameworkM(MODULES)
