"""From a checkpoint to items: for sequences of new users, and for the users of a data set."""
