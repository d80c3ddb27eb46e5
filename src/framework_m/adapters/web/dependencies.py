"""What route handlers may ask for by name."""

from __future__ import annotations

from typing import Annotated

from litestar.di import NamedDependency
from litestar.params import SkipValidationMarker

from framework_m.core.identity import User
from framework_m.core.interfaces.application import ApplicationProtocol

# Not validated: a Protocol cannot be, at run time, and we provide it ourselves.
Application = Annotated[NamedDependency[ApplicationProtocol], SkipValidationMarker()]
CurrentUser = Annotated[NamedDependency[User], SkipValidationMarker()]
