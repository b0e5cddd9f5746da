"""A sentence encoder that is real and small enough to be made in a second."""

from collections.abc import Iterable
from pathlib import Path


def build_sentence_encoder(folder: Path, texts: Iterable[str]) -> Path:
    """A two-layer BERT of 16 dimensions that reads 40 tokens, with random weights.

    Args:
        folder: made if it does not exist.
        texts: that its vocabulary is made of.

    Returns:
        ``folder / "tiny"``, which sentence-transformers loads.
    """
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(texts, trainers.WordPieceTrainer(vocab_size=2000, special_tokens=special))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=40,
        initializer_range=0.5,
    )
    BertModel(config).save_pretrained(folder / "transformer")
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=40,
    )
    fast.save_pretrained(folder / "transformer")
    transformer = Transformer(str(folder / "transformer"))
    model = SentenceTransformer(modules=[transformer, Pooling(16), Normalize()], device="cpu")
    model.save(str(folder / "tiny"))
    return folder / "tiny"
