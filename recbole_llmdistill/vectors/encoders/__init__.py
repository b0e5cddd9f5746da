"""Text encoders: from profile texts to vectors."""
