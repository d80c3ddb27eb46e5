"""Web: Litestar.

Owns: the plugin, who asks, routes, problem details, health, metrics.
May import: core, litestar, prometheus_client.
Must not touch: the database and the queue other than through the application.
Invariants: 5 (every refusal is named), 13 (deny by default).
"""
