"""A trained model as a folder of its own: graph, item tokens, settings and model card, for any process that asks it."""
