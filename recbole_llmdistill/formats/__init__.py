"""What stages hand to each other: profile texts, profile vectors, their manifests, atomic files."""
