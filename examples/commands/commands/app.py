"""The application: what it is made of."""

from framework_m import FrameworkM

app = FrameworkM(modules=["commands.jobs"])
