"""Processes: where jobs with `executor="process"` run.

Owns: the child processes of a worker, what is said between them, and what a job finds in one.
May import: core. What the child imports is kept light: no database, no broker, no web.
Must not touch: the store and the queue; the receiver records what comes of a run.
Invariants: no child outlives its worker, and nothing that a job started outlives its child, unless
    it left the process group; JSON only, never pickle (10); no secret is in what is sent (12).
"""
