"""RecBole's data set of general recommenders, as a training part to distil into."""

from recbole.data.dataset import Dataset

from recbole_llmdistill.data.training_part import TrainingPart


class GeneralDistillationDataset(TrainingPart, Dataset):
    """RecBole's :class:`Dataset`; what training sees are the rows of its training part."""
