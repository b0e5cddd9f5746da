"""eSASRec: SASRec with gated layers."""

import torch
from recbole.config import Config
from recbole.data.dataset import Dataset
from recbole.data.interaction import Interaction
from recbole.model.abstract_recommender import SequentialRecommender
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, scaled_dot_product_attention, silu

from recbole_llmdistill.errors import InputError


class GatedLayer(nn.Module):
    """A layer of LiGR (Borisyuk et al. 2025, arXiv 2502.03417): each update is scaled by a gate of what it is added to.

        x <- x + attention(norm(x)) * sigmoid(W x + b)
        x <- x + feed_forward(norm(x)) * sigmoid(W' x + b'),    feed_forward(y) = (silu(A y) * B y) C

    Args:
        hidden_size: of the states.
        inner_size: of the feed-forward part.
        n_heads: of the attention, each of ``hidden_size / n_heads``.
        dropout: of the updates.
        attention_dropout: of the attention's shares.
    """

    def __init__(
        self, hidden_size: int, inner_size: int, n_heads: int, dropout: float, attention_dropout: float
    ) -> None:
        super().__init__()
        self.n_heads, self.attention_dropout = n_heads, attention_dropout
        self.attention_norm, self.feed_forward_norm = nn.LayerNorm(hidden_size), nn.LayerNorm(hidden_size)
        self.query_key_value = nn.Linear(hidden_size, 3 * hidden_size)
        self.attention_output = nn.Linear(hidden_size, hidden_size)
        self.attention_gate, self.feed_forward_gate = (nn.Linear(hidden_size, hidden_size) for _ in range(2))
        self.feed_forward_input = nn.Linear(hidden_size, 2 * inner_size)
        self.feed_forward_output = nn.Linear(inner_size, hidden_size)
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor) -> Tensor:
        """States ``[B, L, H]`` of the next layer; each has seen its own position and those before it."""
        heads = self.query_key_value(self.attention_norm(states)).unflatten(2, (3, self.n_heads, -1))
        query, key, value = heads.permute(2, 0, 3, 1, 4)  # each [B, heads, L, size]
        dropout = self.attention_dropout if self.training else 0.0
        context = scaled_dot_product_attention(query, key, value, dropout_p=dropout, is_causal=True)
        update = self.attention_output(context.transpose(1, 2).flatten(2))
        states = states + self.dropout(update * torch.sigmoid(self.attention_gate(states)))
        activated, linear = self.feed_forward_input(self.feed_forward_norm(states)).chunk(2, dim=-1)
        update = self.feed_forward_output(silu(activated) * linear)
        return states + self.dropout(update * torch.sigmoid(self.feed_forward_gate(states)))


class GatedEncoder(nn.Module):
    """Layers with states of size ``hidden_size``, and a norm behind the last one."""

    def __init__(self, layers: list[GatedLayer], hidden_size: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.norm = nn.LayerNorm(hidden_size)

    def forward(self, states: Tensor) -> list[Tensor]:
        """States ``[B, L, H]`` of each layer."""
        layers = []
        for layer in self.layers:
            states = layer(states)
            layers.append(states)
        return [*layers[:-1], self.norm(states)]


class ESASRec(SequentialRecommender):
    """SASRec's sequences with the layers of LiGR (Tikhonovich et al., RecSys 2025, arXiv 2508.06450).

    The paper's third part, the sampled softmax, is a matter of training, ``sequence_loss=sampled_softmax``; for
    catalogues of some ten thousand items the full one is used. Settings are RecBole's of SASRec.

    Raises:
        InputError: another loss is asked for.
    """

    def __init__(self, config: Config, dataset: Dataset) -> None:
        super().__init__(config, dataset)
        if config["loss_type"] != "CE":
            raise InputError(f"loss_type={config['loss_type']!r}: ESASRec has no other loss than CE")
        size, inner_size, n_heads = config["hidden_size"], config["inner_size"], config["n_heads"]
        dropout, attention_dropout = config["hidden_dropout_prob"], config["attn_dropout_prob"]
        self.item_embedding = nn.Embedding(self.n_items, size, padding_idx=0)
        self.position_embedding = nn.Embedding(self.max_seq_length, size)
        self.dropout = nn.Dropout(dropout)
        layers = [GatedLayer(size, inner_size, n_heads, dropout, attention_dropout) for _ in range(config["n_layers"])]
        self.encoder = GatedEncoder(layers, size)
        self.initializer_range = config["initializer_range"]
        self.apply(self._initialise)

    def _initialise(self, module: nn.Module) -> None:
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, std=self.initializer_range)
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)

    def forward(self, item_seq: Tensor, item_seq_len: Tensor) -> Tensor:
        """State of the newest item of each sequence, ``[B, H]``."""
        position = torch.arange(item_seq.size(1), device=item_seq.device)
        states = self.dropout(self.item_embedding(item_seq) + self.position_embedding(position))
        return self.gather_indexes(self.encoder(states)[-1], item_seq_len - 1)

    def calculate_loss(self, interaction: Interaction) -> Tensor:
        """Softmax over all items, the mean of the rows."""
        return cross_entropy(self.full_sort_predict(interaction), interaction[self.POS_ITEM_ID])

    def full_sort_predict(self, interaction: Interaction) -> Tensor:
        """Scores of all items, ``[B, N]``."""
        return self(interaction[self.ITEM_SEQ], interaction[self.ITEM_SEQ_LEN]) @ self.item_embedding.weight.T

    def predict(self, interaction: Interaction) -> Tensor:
        """Scores of one item per row, ``[B]``."""
        items = self.item_embedding(interaction[self.ITEM_ID])
        return (self(interaction[self.ITEM_SEQ], interaction[self.ITEM_SEQ_LEN]) * items).sum(dim=1)
