"""L_distil: how far user representations are from profile vectors. A loss is one module in this folder."""
