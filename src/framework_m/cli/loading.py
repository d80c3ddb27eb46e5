"""Finding the application: --app, FRAMEWORK_M_APP, or [tool.framework_m] in pyproject.toml."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from framework_m.cli.console import UsageError
from framework_m.core.errors import ApplicationNotFoundError

if TYPE_CHECKING:
    from framework_m.app import FrameworkM

AppOption = Annotated[
    str | None,
    Parameter(
        name="--app",
        help="The application, as package.module:name (or FRAMEWORK_M_APP, or pyproject.toml).",
    ),
]


def load(path: str | None) -> FrameworkM:
    """The application, with its modules imported and its settings read.

    Raises UsageError, ApplicationNotFoundError, ConfigurationError.
    """
    path = path or os.environ.get("FRAMEWORK_M_APP") or _from_pyproject()
    if path is None:
        raise UsageError(
            "which application? Name it with --app package.module:name, FRAMEWORK_M_APP, "
            'or app = "…" under [tool.framework_m] in pyproject.toml'
        )
    # What a module prints when it is imported must not get into what we print for programs.
    with contextlib.redirect_stdout(sys.stderr):
        app = _imported(path)
        _read_settings(app)
        # Imports the modules: what is wrong with them is known before we start.
        _ = app.doctypes, app.registry
    return app


def folders(app: FrameworkM) -> set[str]:
    """Where the code of its modules is."""
    found = set()
    for name in app.modules:
        module = sys.modules.get(name.partition(".")[0])
        places = list(getattr(module, "__path__", ())) if module else []
        file = getattr(module, "__file__", None)
        found |= {str(Path(place).resolve()) for place in places}
        if not places and file:
            found.add(str(Path(file).resolve().parent))
    return found


def named(path: str | None) -> str | None:
    """The path that `load` would use."""
    return path or os.environ.get("FRAMEWORK_M_APP") or _from_pyproject()


def _imported(path: str) -> FrameworkM:
    from framework_m.app import FrameworkM  # noqa: PLC0415 - `m --help` does without

    module_name, separator, attribute = path.partition(":")
    if not separator or not module_name or not attribute:
        raise ApplicationNotFoundError(path, "write it as package.module:name")
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise ApplicationNotFoundError(path, f"{type(error).__name__}: {error}") from error
    found = getattr(module, attribute, None)
    if found is None:
        raise ApplicationNotFoundError(path, f"{module_name} has no {attribute!r}")
    if not isinstance(found, FrameworkM):
        raise ApplicationNotFoundError(path, f"{attribute!r} is not a FrameworkM application")
    return found


def _read_settings(app: FrameworkM) -> None:
    from pydantic import ValidationError  # noqa: PLC0415 - as above

    try:
        _ = app.settings
    except ValidationError as error:
        told = "; ".join(
            f"{_variable(item['loc'])}: {item['msg']}"
            for item in error.errors(include_url=False, include_input=False)
        )
        raise UsageError(f"wrong settings: {told}") from error


def _variable(location: tuple[int | str, ...]) -> str:
    """The environment variable that a field of the settings is read from."""
    from framework_m.settings import CUSTOMARY_VARIABLES, PREFIX  # noqa: PLC0415 - as above

    name = ".".join(map(str, location)).upper()
    return name if name in CUSTOMARY_VARIABLES else f"{PREFIX}{name}"


def _from_pyproject() -> str | None:
    for folder in (Path.cwd(), *Path.cwd().parents):
        file = folder / "pyproject.toml"
        if file.is_file():
            return _app_in(file)
    return None


def _app_in(file: Path) -> str | None:
    try:
        content = tomllib.loads(file.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}") from error
    found = content.get("tool", {}).get("framework_m", {}).get("app")
    if found is not None and not isinstance(found, str):
        raise UsageError(f"{file}: [tool.framework_m] app must be a text")
    return found
