"""From texts to vectors: encoders, reductions, vectors of other people."""
