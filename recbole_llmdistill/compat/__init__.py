"""Mends what RecBole 1.2.1 lacks on the current stack; each part says which RecBole line it answers.

:func:`install` is idempotent and does not depend on whether RecBole was imported before or after this package.
"""


def install() -> None:
    """Fix RecBole in this process."""
    from recbole_llmdistill.compat import missing_recbole, warning_filters

    missing_recbole.install()
    warning_filters.install()  # before RecBole is imported, which warns already
    from recbole_llmdistill.compat import anomaly_detection, lazy_ray

    anomaly_detection.install()
    lazy_ray.install()  # before anything imports RecBole's quick_start, and Ray with it
    from recbole_llmdistill.compat import (
        atomic_tables,
        checkpoint_names,
        checkpoints,
        column_values,
        data_errors,
        data_metrics,
        empty_parts,
        literal_settings,
        numpy_names,
        parallel_evaluation,
        parallel_training,
        plain_metrics,
        row_filters,
        saved_data,
        seen_items,
        sequence_order,
        sparse_matrices,
    )

    numpy_names.install()
    atomic_tables.install()
    row_filters.install()
    column_values.install()
    sequence_order.install()
    checkpoints.install()
    data_errors.install()
    data_metrics.install()
    empty_parts.install()
    literal_settings.install()
    parallel_evaluation.install()
    checkpoint_names.install()  # before the processes of a parallel run tell each other the name
    parallel_training.install()
    saved_data.install()
    plain_metrics.install()
    sparse_matrices.install()
    seen_items.install()
