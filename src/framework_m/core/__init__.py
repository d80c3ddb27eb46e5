"""Core: the rules of the framework, in plain Python.

Owns: errors, ids, outages, and the rooms below.
May import: the standard library, pydantic.
Must not touch: any vendor library, adapters, settings.
Invariants: all of design §4 are stated here and kept by the adapters.
"""
