"""Put the sequences of a batch into fewer, fuller rows, so that padding costs no arithmetic."""

from dataclasses import dataclass

import torch

from recbole_llmdistill.model.cpu import take_rows

# What RecBole adds to the attention score of a position that must not be seen (abstract_recommender.py 278).
_UNSEEN = -10000.0
# Rows are a multiple of this: oneDNN makes, and keeps, a program for each shape that it meets.
_ROWS = 4


@dataclass(frozen=True)
class Packing:
    """Where the positions of ``B`` padded sequences of length ``L`` lie in ``R`` rows of that length.

    Attributes:
        source: position in the flattened batch ``[B * L]`` of each packed position, ``[R, L]``; 0 in holes.
        position: index of each packed position within its own sequence, ``[R, L]``.
        segment: number of the sequence that each packed position belongs to, ``[R, L]``; -1 in holes.
        destination: position in the flattened rows ``[R * L]`` of each batch position, ``[B, L]``; 0 for padding.
    """

    source: torch.Tensor
    position: torch.Tensor
    segment: torch.Tensor
    destination: torch.Tensor

    def pack(self, values: torch.Tensor) -> torch.Tensor:
        """``[B, L]`` -> ``[R, L]``, 0 in holes."""
        return values.flatten()[self.source].masked_fill(self.segment < 0, 0)

    def unpack(self, packed: torch.Tensor) -> torch.Tensor:
        """``[R, L, H]`` -> ``[B, L, H]``; what stands at padding is of no meaning, and its gradient is dropped."""
        origin = self.source.masked_fill(self.segment < 0, self.destination.numel())
        unpacked = take_rows(packed.flatten(0, 1), self.destination.flatten(), origin.flatten())
        return unpacked.view(*self.destination.shape, -1)

    def attention_mask(self, causal: bool) -> torch.Tensor:
        """What to add to the attention scores, ``[R, L, L]``: positions see their own sequence, or its past alone."""
        seen = self.segment.unsqueeze(2) == self.segment.unsqueeze(1)
        if causal:
            seen = seen.tril()
        return torch.where(seen, 0.0, _UNSEEN)


def pack_rows(lengths: torch.Tensor, length: int) -> Packing:
    """Pack sequences of the given lengths (``[B]``, each from 1 to ``length``) by best fit, longest first."""
    rows, starts, count = _best_fit(lengths.tolist(), length)
    count += -count % _ROWS
    device = lengths.device
    offset = torch.arange(length, device=device)
    real = offset < lengths.unsqueeze(1)
    first = torch.tensor(rows, device=device) * length + torch.tensor(starts, device=device)
    destination = torch.where(real, first.unsqueeze(1) + offset, 0)
    places, origin = destination[real], real.flatten().nonzero().squeeze(1)
    source, position = torch.zeros(2, count * length, dtype=torch.long, device=device)
    segment = torch.full((count * length,), -1, dtype=torch.int32, device=device)
    source[places] = origin
    position[places] = origin % length
    segment[places] = (origin // length).to(torch.int32)
    return Packing(source.view(count, length), position.view(count, length), segment.view(count, length), destination)


def _best_fit(lengths: list[int], length: int) -> tuple[list[int], list[int], int]:
    """Row and start of each sequence, and the number of rows."""
    rows, starts, count = [0] * len(lengths), [0] * len(lengths), 0
    by_space: list[list[int]] = [[] for _ in range(length + 1)]  # rows by the space that is left in them
    for sequence in sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True):
        needed = lengths[sequence]
        space = next((space for space in range(needed, length) if by_space[space]), length)
        if space == length:
            row, count = count, count + 1
        else:
            row = by_space[space].pop()
        rows[sequence], starts[sequence] = row, length - space
        by_space[space - needed].append(row)
    return rows, starts, count
