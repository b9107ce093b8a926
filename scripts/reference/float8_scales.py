"""Writes test/reference/float8-scales.safetensors: float8 matrices with scales as others quantize, and what PyTorch makes of them.

`<case>.weight` is to be multiplied with `<case>.weight_scale` or `<case>.weight_scale_inv`; `<case>.values` is the product in float32.
"""

import torch
from safetensors.torch import save_file

from common import REFERENCE

ROWS, COLUMNS = 150, 140


def quantized(generator, rows, columns):
    return (torch.randn(rows, columns, generator=generator) * 40).to(torch.float8_e4m3fn)


def over_blocks(scale, block, rows, columns):
    """One number for each element, from one for each block."""
    return scale.float().repeat_interleave(block[0], 0)[:rows].repeat_interleave(block[1], 1)[:, :columns]


def main():
    generator = torch.Generator().manual_seed(31)
    tensors = {}

    def case(name, ending, scale, spread, shape=(ROWS, COLUMNS)):
        weight = quantized(generator, *shape)
        tensors[f"{name}.weight"] = weight
        tensors[f"{name}.weight{ending}"] = scale
        tensors[f"{name}.values"] = weight.float() * spread

    def scales(*shape):
        return torch.rand(shape, generator=generator) * 0.01 + 1e-4

    whole = scales()
    case("whole", "_scale", whole, whole)
    one = scales(1).to(torch.bfloat16)
    case("one", "_scale_inv", one, one.float(), (24, 16))
    rows = scales(ROWS, 1)
    case("rows", "_scale", rows, rows)
    blocks = scales(2, 2)
    case("blocks", "_scale_inv", blocks, over_blocks(blocks, (128, 128), ROWS, COLUMNS))
    small = scales(3, 5)
    case("small", "_scale_inv", small, over_blocks(small, (16, 24), 40, 100), (40, 100))

    path = REFERENCE / "float8-scales.safetensors"
    save_file({name: tensor.contiguous().clone() for name, tensor in tensors.items()}, path)
    path.chmod(0o644)


if __name__ == "__main__":
    main()
