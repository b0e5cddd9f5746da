"""RecBole's transformer over packed rows: the same function of the same parameters, without the detours.

``sequence_fast_layers: False`` takes RecBole's own layers instead, on the same rows.
"""

import math
from typing import Any

import torch
from recbole.data.interaction import Interaction
from recbole.model.layers import MultiHeadAttention
from torch.nn import functional as F

from recbole_llmdistill.model.cpu import current_product_type, origin_of, take_rows
from recbole_llmdistill.model.packing import pack_rows
from recbole_llmdistill.model.representation import Representation

# The last layer's positions are a multiple of this: oneDNN makes, and keeps, a program for each shape that it meets.
_POSITIONS = 64


def encode(
    model: Any,
    interaction: Interaction,
    items: torch.Tensor,
    causal: bool,
    counted: torch.Tensor,
    heard: Representation,
) -> torch.Tensor:
    """States for a batch of sequences.

    Args:
        model: SASRecDistill or BERT4RecDistill, whose embeddings and ``trm_encoder`` are used.
        interaction: the batch, whose lengths are used.
        items: what stands in the sequences ``[B, L]``, with padding on the right.
        causal: whether a position sees its past alone.
        counted: where the last layer's states are needed, ``[B, L]`` bool.
        heard: gets, while the model distils, the states of all layers in packed rows; those of the last layer only if
            they are what is distilled into.

    Returns:
        The last layer's states where ``counted``, ``[N, H]``. Their type is autocast's, under autocast.
    """
    packing = pack_rows(interaction[model.ITEM_SEQ_LEN], items.size(1))
    wanted = packing.destination[counted]
    states = model.item_embedding(packing.pack(items)) + model.position_embedding(packing.position)
    product = current_product_type(states)  # between the layers, too: half of the memory to read and write
    states = model.dropout(model.LayerNorm(states)).to(product)
    mask = packing.attention_mask(causal).unsqueeze(1).to(product)
    if not model.settings.sequence_fast_layers:
        layers = model.trm_encoder(states, mask, output_all_encoded_layers=True)
        heard.layers, heard.packing = layers, packing
        return layers[-1].flatten(0, 1)[wanted]
    *lower, last = model.trm_encoder.layer
    layers = []
    for layer in lower:
        states = layer.feed_forward(_attention(layer.multi_head_attention, states, mask))
        layers.append(states)
    padded = F.pad(wanted, (0, -len(wanted) % _POSITIONS))
    chosen = (padded, origin_of(wanted, packing.source.numel(), len(padded)))
    last_layer = model.settings.distill_pooling == "output" or model.distillation_layer == len(lower)
    if model.distilling and last_layer:
        states = last.feed_forward(_attention(last.multi_head_attention, states, mask))
        layers.append(states)
        states = take_rows(states.flatten(0, 1), *chosen)
    else:
        states = last.feed_forward(_attention(last.multi_head_attention, states, mask, chosen))
    heard.layers, heard.packing = layers, packing
    return states[: len(wanted)]


def _attention(
    attention: MultiHeadAttention,
    states: torch.Tensor,
    mask: torch.Tensor,
    chosen: tuple[torch.Tensor, torch.Tensor] | None = None,
) -> torch.Tensor:
    rows, length, size = states.shape
    heads, head_size = attention.num_attention_heads, attention.attention_head_size
    # One product for queries, keys and values; the division by sqrt(head size) costs least in the queries' weights.
    scale = 1 / math.sqrt(head_size)
    weight = torch.cat([attention.query.weight * scale, attention.key.weight, attention.value.weight])
    bias = torch.cat([attention.query.bias * scale, attention.key.bias, attention.value.bias])
    mixed = F.linear(states, weight, bias).view(rows, length, 3, heads, head_size)
    query, key, value = mixed.permute(2, 0, 3, 1, 4).reshape(3, rows * heads, length, head_size).unbind()
    scores = torch.bmm(query, key.transpose(1, 2))
    scores.view(rows, heads, length, length).add_(mask)
    with torch.autocast(states.device.type, enabled=False):  # whose softmax would be a float32 copy
        shares = scores.softmax(dim=-1)
    shares = attention.attn_dropout(shares)
    context = torch.bmm(shares, value).view(rows, heads, length, head_size).transpose(1, 2).reshape(rows, length, size)
    if chosen is not None:
        context, states = (take_rows(values.flatten(0, 1), *chosen) for values in (context, states))
    return attention.LayerNorm(attention.out_dropout(attention.dense(context)) + states)
