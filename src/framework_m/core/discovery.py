"""Discovery: import an application's modules and everything below them."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from framework_m.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from types import ModuleType


def modules_below(names: Iterable[str]) -> Iterator[ModuleType]:
    """These modules, and the packages' modules below them, each imported.

    Raises ConfigurationError for one that does not import.
    """
    for name in names:
        yield from _tree(name)


def home_of(names: Sequence[str]) -> Path:
    """The folder that the first module's top package is in: the project, as a rule."""
    if not names:
        return Path.cwd()
    top = sys.modules.get(names[0].partition(".")[0])
    places = list(getattr(top, "__path__", []))
    if places:
        return Path(places[0]).resolve().parent
    file = getattr(top, "__file__", None)
    return Path(file).resolve().parent if file else Path.cwd()


def _tree(name: str) -> Iterator[ModuleType]:
    module = _imported(name)
    yield module
    for found in pkgutil.walk_packages(getattr(module, "__path__", []), prefix=f"{name}."):
        if not found.name.endswith(".__main__"):
            yield _imported(found.name)


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise ConfigurationError(f"the module {name!r} does not exist") from error
        raise ConfigurationError(f"the module {name!r} needs {error.name!r}: {error}") from error
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        raise ConfigurationError(f"the module {name!r} cannot be imported: {told}") from error
