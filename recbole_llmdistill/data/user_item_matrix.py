"""Who has interacted with what, as a matrix."""

import numpy as np
import scipy.sparse as sp


def user_item_matrix(users: np.ndarray, items: np.ndarray, shape: tuple[int, int] | None = None) -> sp.csr_matrix:
    """1 where a user has interacted with an item, however often.

    Args:
        users: ``[R]`` row of each interaction.
        items: ``[R]`` its column.
        shape: of the matrix; None: as large as the numbers ask for.
    """
    matrix = sp.csr_matrix((np.ones(len(users), dtype=np.float32), (users, items)), shape=shape)
    matrix.data[:] = 1  # repeated interactions were added up
    return matrix
