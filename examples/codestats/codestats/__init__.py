"""codestats: counts what is in a tree of Python sources, as a background job."""
