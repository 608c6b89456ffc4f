"""Domain ``ai.bdnet``, version 1: the executable specification of its operators.

Each operator is an onnxscript function whose body uses standard operators only. The body is what
an ONNX Runtime without our library runs, what the documentation is checked against, and what the
C++ registration is checked against. Activations are float32 NHWC. The prose is in
docs/operators.md, the exactness argument in docs/numerics.md.

Traps that shaped the bodies:
- Integer sums go through ConvInteger with uint8 operands and zero points of 1, so that optimisers
  have no float convolution into which to fold a scale. int8 weights are not implemented before
  ONNX Runtime 1.24.
- Padding is a Pad before ConvInteger, since the padding of a convolution of signs may be +1 or -1
  and ConvInteger pads with the zero point alone.
- Float sums before a sign are Loops of Slice, Mul, Add: library convolutions and pools choose
  their own order.
- An average is a division by its count. As a product with 1 / count, ONNX Runtime's DivMulFusion
  turns it into that division anyway, which rounds differently where the count is no power of two.
- Loops are written with a condition, not a trip count alone: onnx's reference evaluator takes a
  missing condition for false.
- No function ``overload`` and no nested function, which ONNX Runtime before 1.32 ignores or
  cannot resolve when a kernel replaces only one of the two.
"""

# The bodies are read by onnxscript, not run by Python: their names are operators of ONNX.
from collections.abc import Sequence

from onnxscript import FLOAT, UINT8, OnnxFunction, script
from onnxscript import opset18 as op
from onnxscript.values import Opset

DOMAIN = "ai.bdnet"
VERSION = 1

ai_bdnet = Opset(DOMAIN, VERSION)


@script(ai_bdnet, default_opset=op)
def BinaryConv(  # noqa: N802
    x: FLOAT,
    weight: UINT8,
    kernel_shape: Sequence[int],
    channels: int,
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int],
    group: int,
    pad_value: int,
    packing_version: int,
) -> FLOAT:
    """Convolution of the signs of x with binary weights; an integer, as float32.

    x [N, H, W, group * channels]; weight [M, B] uint8 in packing v1; y [N, Ho, Wo, M].
    """
    zero = op.Cast(op.Constant(value_int=0), to=2)
    one = op.Cast(op.Constant(value_int=1), to=2)
    two = op.Cast(op.Constant(value_int=2), to=2)
    # Signs as uint8 0 and 2 about the zero point 1.
    signs = op.Where(op.GreaterOrEqual(x, op.Constant(value_float=0.0)), two, zero)
    none = op.Constant(value_ints=[0])
    sides = op.Constant(value_ints=pads)
    begin = op.Slice(sides, op.Constant(value_ints=[0]), op.Constant(value_ints=[2]))
    end = op.Slice(sides, op.Constant(value_ints=[2]), op.Constant(value_ints=[4]))
    filler = op.Cast(op.Constant(value_int=pad_value) + op.Constant(value_int=1), to=2)
    padded = op.Pad(signs, op.Concat(none, begin, none, none, end, none, axis=0), filler)
    # Bytes to bits, lowest first; the tail of each filter's last byte is cut off.
    places = op.Cast(op.Constant(value_ints=[0, 1, 2, 3, 4, 5, 6, 7]), to=2)
    spread = op.Unsqueeze(weight, op.Constant(value_ints=[-1]))
    bits = op.BitwiseAnd(op.BitShift(spread, places, direction="RIGHT"), one)
    flat = op.Reshape(bits, op.Constant(value_ints=[0, -1]))
    depth = op.Reshape(op.Constant(value_int=channels), op.Constant(value_ints=[1]))
    taps = op.Constant(value_ints=kernel_shape)
    used = op.Mul(op.ReduceProd(taps, keepdims=1), depth)
    cut = op.Slice(flat, none, used, op.Constant(value_ints=[1]))
    shape = op.Concat(op.Constant(value_ints=[0]), taps, depth, axis=0)
    filters = op.Reshape(op.Cast(cut, to=6), shape)
    values = op.Cast(op.Mul(filters, op.Cast(op.Constant(value_int=2), to=6)), to=2)
    y = op.ConvInteger(
        op.Transpose(padded, perm=[0, 3, 1, 2]),
        op.Transpose(values, perm=[0, 3, 1, 2]),
        one,
        one,
        kernel_shape=kernel_shape,
        strides=strides,
        dilations=dilations,
        group=group,
    )
    return op.Transpose(op.Cast(y, to=1), perm=[0, 2, 3, 1])


@script(ai_bdnet, default_opset=op)
def TernaryConv(  # noqa: N802
    x: FLOAT,
    weight: UINT8,
    kernel_shape: Sequence[int],
    channels: int,
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int],
    group: int,
    pad_value: int,
    packing_version: int,
) -> FLOAT:
    """Convolution of the signs of x with 1.58-bit weights; an integer, as float32.

    x [N, H, W, group * channels]; weight [2, M, B] uint8, the planes sign(w - d) and sign(w + d)
    in packing v1, whose mean is the weight; y [N, Ho, Wo, M].
    """
    zero = op.Cast(op.Constant(value_int=0), to=2)
    one = op.Cast(op.Constant(value_int=1), to=2)
    two = op.Cast(op.Constant(value_int=2), to=2)
    signs = op.Where(op.GreaterOrEqual(x, op.Constant(value_float=0.0)), two, zero)
    none = op.Constant(value_ints=[0])
    sides = op.Constant(value_ints=pads)
    begin = op.Slice(sides, op.Constant(value_ints=[0]), op.Constant(value_ints=[2]))
    end = op.Slice(sides, op.Constant(value_ints=[2]), op.Constant(value_ints=[4]))
    filler = op.Cast(op.Constant(value_int=pad_value) + op.Constant(value_int=1), to=2)
    padded = op.Pad(signs, op.Concat(none, begin, none, none, end, none, axis=0), filler)
    places = op.Cast(op.Constant(value_ints=[0, 1, 2, 3, 4, 5, 6, 7]), to=2)
    spread = op.Unsqueeze(weight, op.Constant(value_ints=[-1]))
    bits = op.BitwiseAnd(op.BitShift(spread, places, direction="RIGHT"), one)
    flat = op.Reshape(bits, op.Constant(value_ints=[0, 0, -1]))
    depth = op.Reshape(op.Constant(value_int=channels), op.Constant(value_ints=[1]))
    taps = op.Constant(value_ints=kernel_shape)
    used = op.Mul(op.ReduceProd(taps, keepdims=1), depth)
    cut = op.Slice(flat, none, used, op.Constant(value_ints=[2]))
    shape = op.Concat(op.Constant(value_ints=[0]), taps, depth, axis=0)
    # The sum of the two bits, 0 to 2, is the ternary weight about the zero point 1.
    counts = op.ReduceSum(op.Cast(cut, to=6), op.Constant(value_ints=[0]), keepdims=0)
    values = op.Cast(op.Reshape(counts, shape), to=2)
    y = op.ConvInteger(
        op.Transpose(padded, perm=[0, 3, 1, 2]),
        op.Transpose(values, perm=[0, 3, 1, 2]),
        one,
        one,
        kernel_shape=kernel_shape,
        strides=strides,
        dilations=dilations,
        group=group,
    )
    return op.Transpose(op.Cast(y, to=1), perm=[0, 2, 3, 1])


@script(ai_bdnet, default_opset=op)
def OrderedConv(  # noqa: N802
    x: FLOAT,
    weight: FLOAT,
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int],
) -> FLOAT:
    """Float convolution with one order of summation: taps (ky, kx, channel), channel fastest.

    x [N, H, W, C], padded with zeros; weight [kh, kw, C, M]; y [N, Ho, Wo, M]. Starting from 0,
    each product is rounded to float32, then each sum.
    """
    none = op.Constant(value_ints=[0])
    single = op.Constant(value_ints=[1])
    sides = op.Constant(value_ints=pads)
    begin = op.Slice(sides, op.Constant(value_ints=[0]), op.Constant(value_ints=[2]))
    end = op.Slice(sides, op.Constant(value_ints=[2]), op.Constant(value_ints=[4]))
    padded = op.Pad(x, op.Concat(none, begin, none, none, end, none, axis=0))
    step = op.Constant(value_ints=strides)
    spacing = op.Constant(value_ints=dilations)
    kernel = op.Shape(weight, start=0, end=2)
    width = op.Shape(weight, start=1, end=2)
    channels = op.Shape(weight, start=2, end=3)
    filters = op.Shape(weight, start=3, end=4)
    rows = op.Reshape(weight, op.Concat(op.Constant(value_ints=[-1]), filters, axis=0))
    last = op.Div(op.Shape(padded, start=1, end=3) - spacing * (kernel - single) - single, step)
    extent = last + single
    steps = op.Concat(step, single, axis=0)
    axes = op.Constant(value_ints=[1, 2, 3])
    y = op.Expand(
        op.Constant(value_float=0.0),
        op.Concat(op.Shape(x, start=0, end=1), extent, filters, axis=0),
    )
    taps = op.Shape(rows, start=0, end=1)
    tap = op.Constant(value_ints=[0])
    more = op.Squeeze(tap < taps)
    while more:
        channel = op.Mod(tap, channels)
        place = op.Div(tap, channels)
        corner = op.Concat(op.Div(place, width), op.Mod(place, width), axis=0) * spacing
        start = op.Concat(corner, channel, axis=0)
        stop = op.Concat(corner + last * step + single, channel + single, axis=0)
        pixels = op.Slice(padded, start, stop, axes, steps)
        y = y + pixels * op.Gather(rows, tap)
        tap = tap + single
        more = op.Squeeze(tap < taps)
    return y


@script(ai_bdnet, default_opset=op)
def OrderedAveragePool(x: FLOAT, kernel_shape: Sequence[int]) -> FLOAT:  # noqa: N802
    """Averages of windows side by side, each summed row by row, then divided by its count.

    x [N, H, W, C]; y [N, ceil(H / kh), ceil(W / kw), C]. Windows that reach over the lower or
    right edge count the pixels that exist.
    """
    none = op.Constant(value_ints=[0])
    single = op.Constant(value_ints=[1])
    kernel = op.Constant(value_ints=kernel_shape)
    size = op.Shape(x, start=1, end=3)
    extent = op.Div(size + kernel - single, kernel)
    missing = extent * kernel - size
    sides = op.Concat(none, none, none, none, none, missing, none, axis=0)
    # Adding the zeros of the padding changes no sum; the same slices of ones count the pixels.
    padded = op.Pad(x, sides)
    ones = op.Expand(op.Constant(value_float=1.0), op.Concat(single, size, single, axis=0))
    inside = op.Pad(ones, sides)
    y = op.Expand(
        op.Constant(value_float=0.0),
        op.Concat(op.Shape(x, start=0, end=1), extent, op.Shape(x, start=3, end=4), axis=0),
    )
    count = op.Expand(op.Constant(value_float=0.0), op.Concat(single, extent, single, axis=0))
    width = op.Slice(kernel, op.Constant(value_ints=[1]), op.Constant(value_ints=[2]))
    axes = op.Constant(value_ints=[1, 2])
    end = op.Shape(padded, start=1, end=3)
    taps = op.ReduceProd(kernel, keepdims=1)
    tap = op.Constant(value_ints=[0])
    more = op.Squeeze(tap < taps)
    while more:
        start = op.Concat(op.Div(tap, width), op.Mod(tap, width), axis=0)
        y = y + op.Slice(padded, start, end, axes, kernel)
        count = count + op.Slice(inside, start, end, axes, kernel)
        tap = tap + single
        more = op.Squeeze(tap < taps)
    return op.Div(y, count)


OPERATORS: tuple[OnnxFunction, ...] = (BinaryConv, TernaryConv, OrderedConv, OrderedAveragePool)
