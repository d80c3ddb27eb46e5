"""Adapters: the outside world, one room per kind.

Owns: one package per port family.
May import: core, vendor libraries of the room.
Must not touch: each other, except db and nats, which lie below the rest.
Invariants: vendor errors leave as ours, with the vendor's as cause.
"""
