"""The Framework M application: `m worker --app bookshop.background:background` runs its jobs."""

from framework_m import FrameworkM

background = FrameworkM(modules=["bookshop.jobs"])
