"""One application, before and after a deploy."""
