"""The application as a Litestar application of its own: an empty one with the plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from litestar import Litestar
from litestar.config.allowed_hosts import AllowedHostsConfig
from litestar.config.cors import CORSConfig
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, YamlRenderPlugin

from framework_m import __version__
from framework_m.adapters.web import errors
from framework_m.adapters.web.plugin import FrameworkMPlugin

if TYPE_CHECKING:
    from framework_m.core.interfaces.application import ApplicationProtocol, WebOptions


def build(application: ApplicationProtocol) -> Litestar:
    """Serve this application, and nothing else."""
    options = application.web_options
    return Litestar(
        plugins=[FrameworkMPlugin(application)],
        exception_handlers=errors.handlers(),
        cors_config=_cors(options),
        allowed_hosts=_hosts(options),
        openapi_config=_openapi(),
        logging_config=None,
    )


def _cors(options: WebOptions) -> CORSConfig | None:
    """None: browsers then let no page of another origin read an answer."""
    if not options.trusted_origins:
        return None
    return CORSConfig(
        allow_origins=list(options.trusted_origins),
        allow_headers=["authorization", "content-type", "idempotency-key", "if-match"],
        expose_headers=["etag", "location"],
        allow_credentials=True,
    )


def _hosts(options: WebOptions) -> AllowedHostsConfig | None:
    if not options.allowed_hosts:
        return None
    return AllowedHostsConfig(list(options.allowed_hosts), www_redirect=False)


def _openapi() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Framework M",
        version=__version__,
        path="/schema",
        # The documents only: the pages that show them load their scripts from elsewhere.
        render_plugins=[JsonRenderPlugin(path=["/", "/openapi.json"]), YamlRenderPlugin()],
    )
