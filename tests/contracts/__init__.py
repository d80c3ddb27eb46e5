"""One suite per port; each adapter's tests subclass it and supply a harness."""
