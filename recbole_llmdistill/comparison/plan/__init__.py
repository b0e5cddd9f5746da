"""Which runs a comparison needs: arms, ablations, seeds, settings."""
