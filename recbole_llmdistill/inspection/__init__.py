"""Are profile vectors any good? Asked before hours of training are spent on them."""
