"""The distilled models and the distillation head that they share."""
