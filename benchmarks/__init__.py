"""Measurements. Compare by ratio within one run: machines differ and are noisy."""
