"""In which type matrix products are computed during whole-sequence training."""

import torch


def matrix_product_type(name: str, device: torch.device) -> torch.dtype:
    """Type of the config value ``distill_precision`` on a device.

    ``auto`` is bfloat16 where the hardware multiplies it faster than float32: on a GPU that knows it, and on a
    processor with the AVX-512 or AMX instructions for it.
    """
    if name != "auto":
        return getattr(torch, name)
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        fast = device.type == "cpu" and (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return torch.bfloat16 if fast else torch.float32


def current_product_type(values: torch.Tensor) -> torch.dtype:
    """Type that a matrix product with ``values`` has here: autocast's, or their own."""
    device = values.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else values.dtype
