"""The sources by their names on the command line."""

from recbole_llmdistill.dataset_converters.amazon_m2 import AmazonM2
from recbole_llmdistill.dataset_converters.amazon_reviews import AmazonReviews
from recbole_llmdistill.dataset_converters.kion import Kion
from recbole_llmdistill.dataset_converters.movielens import MovieLens
from recbole_llmdistill.dataset_converters.rees46 import Rees46
from recbole_llmdistill.dataset_converters.source import Source
from recbole_llmdistill.dataset_converters.steam import Steam
from recbole_llmdistill.dataset_converters.tables import Tables

SOURCES: dict[str, type[Source]] = {
    source.name: source for source in (MovieLens, AmazonReviews, Kion, AmazonM2, Rees46, Steam, Tables)
}
