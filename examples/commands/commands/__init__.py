"""commands: runs programs as background jobs."""
