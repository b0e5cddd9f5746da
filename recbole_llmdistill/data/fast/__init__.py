"""Loading and cutting interactions without a Python loop, equal to RecBole row for row."""
