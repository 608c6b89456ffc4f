"""Domain ``ai.bdnet``, version 1: the executable specification of its operators.

Each operator is an onnxscript function whose body uses standard operators only. The body is what
an ONNX Runtime without our library runs, what the documentation is checked against, and what the
C++ registration is checked against. Activations are float32 NHWC. The prose is in
docs/operators.md, the exactness argument in docs/numerics.md.

Traps that shaped the bodies:
- Integer sums go through ConvInteger and MatMulInteger with uint8 operands and zero points of 1,
  so that optimisers have no float operator into which to fold a scale. int8 weights of ConvInteger
  are not implemented before ONNX Runtime 1.24.
- Padding is a Pad before ConvInteger, since the padding of a convolution of signs may be +1 or -1
  and ConvInteger pads with the zero point alone.
- Float sums before a sign are Loops of Slice, Mul, Add: library convolutions and pools choose
  their own order.
- An average is a division by its count. As a product with 1 / count, ONNX Runtime's DivMulFusion
  turns it into that division anyway, which rounds differently where the count is no power of two.
- Loops are written with a condition, not a trip count alone: onnx's reference evaluator takes a
  missing condition for false.
- What an attribute switches off is the branch of an If that is not taken, never a product with
  0: 0 times infinity is no 0. ONNX Runtime folds such an If away when it optimises, and loses
  the values of a Loop in it when it does: no Loop stands in a branch.
- PRelu is spelt out, as a product with the slope or with 1: before 1.32 ONNX Runtime's PRelu
  makes NaN of an infinity, and the product is no slower.
- No function ``overload`` and, in a file, no nested function, which ONNX Runtime before 1.32
  ignores or cannot resolve when a kernel replaces only one of the two. Functions that are called
  here are inlined by bodies.py.
"""

# The bodies are read by onnxscript, not run by Python: their names are operators of ONNX.
from collections.abc import Sequence

from onnxscript import FLOAT, INT64, UINT8, OnnxFunction, script
from onnxscript import opset18 as op
from onnxscript.values import Opset

DOMAIN = "ai.bdnet"
VERSION = 1

ai_bdnet = Opset(DOMAIN, VERSION)


@script(ai_bdnet, default_opset=op)
def unpacked(weight: UINT8, bits: INT64) -> UINT8:
    """Packed weights of one plane or two, [M, B] or [2, M, B], as 0, 1, 2 about the zero point 1.

    ``bits`` [1] is the number of weights in a filter; the result is [M, bits].
    """
    rest = op.Constant(value_ints=[-1])
    none = op.Constant(value_ints=[0])
    planes = op.Reshape(weight, op.Concat(rest, op.Shape(weight, start=-2), axis=0))
    # Bytes to bits, lowest first; the tail of each filter's last byte is cut off.
    places = op.Cast(op.Constant(value_ints=[0, 1, 2, 3, 4, 5, 6, 7]), to=2)
    spread = op.Unsqueeze(planes, rest)
    one = op.Cast(op.Constant(value_int=1), to=2)
    single = op.BitwiseAnd(op.BitShift(spread, places, direction="RIGHT"), one)
    flat = op.Reshape(single, op.Constant(value_ints=[0, 0, -1]))
    cut = op.Slice(flat, none, bits, op.Constant(value_ints=[2]))
    # Twice the bit of one plane, or the sum of the bits of two.
    counts = op.ReduceSum(op.Cast(cut, to=6), none, keepdims=0)
    share = op.Div(op.Constant(value_ints=[2]), op.Shape(planes, start=0, end=1))
    return op.Cast(op.Mul(counts, op.Cast(share, to=6)), to=2)


@script(ai_bdnet, default_opset=op)
def sign_convolution(
    x: FLOAT,
    weight: UINT8,
    kernel_shape: Sequence[int],
    channels: int,
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int],
    group: int,
    pad_value: int,
) -> FLOAT:
    """What BinaryConv and TernaryConv share: weights of one plane or two, [M, B] or [2, M, B]."""
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
    depth = op.Reshape(op.Constant(value_int=channels), op.Constant(value_ints=[1]))
    taps = op.Constant(value_ints=kernel_shape)
    flat = unpacked(weight, op.Mul(op.ReduceProd(taps, keepdims=1), depth))
    values = op.Reshape(flat, op.Concat(op.Constant(value_ints=[0]), taps, depth, axis=0))
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
    return sign_convolution(
        x,
        weight,
        kernel_shape=kernel_shape,
        channels=channels,
        strides=strides,
        pads=pads,
        dilations=dilations,
        group=group,
        pad_value=pad_value,
    )


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
    return sign_convolution(
        x,
        weight,
        kernel_shape=kernel_shape,
        channels=channels,
        strides=strides,
        pads=pads,
        dilations=dilations,
        group=group,
        pad_value=pad_value,
    )


@script(ai_bdnet, default_opset=op)
def sign_product(x: FLOAT, weight: UINT8, channels: int) -> FLOAT:
    """What BinaryLinear and TernaryLinear share: weights of one plane or two."""
    zero = op.Cast(op.Constant(value_int=0), to=2)
    one = op.Cast(op.Constant(value_int=1), to=2)
    two = op.Cast(op.Constant(value_int=2), to=2)
    # Signs as uint8 0 and 2 about the zero point 1.
    signs = op.Where(op.GreaterOrEqual(x, op.Constant(value_float=0.0)), two, zero)
    depth = op.Reshape(op.Constant(value_int=channels), op.Constant(value_ints=[1]))
    values = op.Transpose(unpacked(weight, depth), perm=[1, 0])
    return op.Cast(op.MatMulInteger(signs, values, one, one), to=1)


@script(ai_bdnet, default_opset=op)
def BinaryLinear(  # noqa: N802
    x: FLOAT, weight: UINT8, channels: int, packing_version: int
) -> FLOAT:
    """Linear layer of the signs of x with binary weights; an integer, as float32.

    x [..., channels]; weight [M, B] uint8 in packing v1, filters of one tap; y [..., M].
    """
    return sign_product(x, weight, channels=channels)


@script(ai_bdnet, default_opset=op)
def TernaryLinear(  # noqa: N802
    x: FLOAT, weight: UINT8, channels: int, packing_version: int
) -> FLOAT:
    """Linear layer of the signs of x with 1.58-bit weights; an integer, as float32.

    x [..., channels]; weight [2, M, B] uint8, the planes sign(w - d) and sign(w + d) in packing
    v1, whose mean is the weight; y [..., M].
    """
    return sign_product(x, weight, channels=channels)


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
def window_averages(x: FLOAT, tap: INT64, kernel_shape: Sequence[int]) -> FLOAT:
    """OrderedAveragePool from its tap number ``tap`` [1] on, which is 0 where it is meant."""
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
    more = op.Squeeze(tap < taps)
    while more:
        start = op.Concat(op.Div(tap, width), op.Mod(tap, width), axis=0)
        y = y + op.Slice(padded, start, end, axes, kernel)
        count = count + op.Slice(inside, start, end, axes, kernel)
        tap = tap + single
        more = op.Squeeze(tap < taps)
    return op.Div(y, count)


@script(ai_bdnet, default_opset=op)
def OrderedAveragePool(x: FLOAT, kernel_shape: Sequence[int]) -> FLOAT:  # noqa: N802
    """Averages of windows side by side, each summed row by row, then divided by its count.

    x [N, H, W, C]; y [N, ceil(H / kh), ceil(W / kw), C]. Windows that reach over the lower or
    right edge count the pixels that exist.
    """
    return window_averages(x, op.Constant(value_ints=[0]), kernel_shape=kernel_shape)


@script(ai_bdnet, default_opset=op)
def epilogue(
    c: FLOAT,
    across: FLOAT,
    scale: FLOAT,
    bn_mul: FLOAT,
    bn_add: FLOAT,
    shift_in: FLOAT,
    slope: FLOAT,
    shift_out: FLOAT,
    residual: int,
    rectify: int,
) -> FLOAT:
    """Rule 5 of the numerical contract: all that follows a convolution of signs in its unit.

    ``across`` is what the shortcut brings; it is not read where ``residual`` is 0.
    """
    t = c * scale
    if op.Equal(op.Constant(value_int=residual), op.Constant(value_int=1)):
        t = t + across
    else:
        t = op.Identity(t)
    t = t * bn_mul
    t = t + bn_add
    if op.Equal(op.Constant(value_int=residual), op.Constant(value_int=2)):
        t = t + across
    else:
        t = op.Identity(t)
    t = t + shift_in
    zero = op.Constant(value_float=0.0)
    if op.Equal(op.Constant(value_int=rectify), op.Constant(value_int=1)):
        t = op.Where(t < zero, zero, t)
    else:
        t = t * op.Where(t < zero, slope, op.Constant(value_float=1.0))
    return t + shift_out


@script(ai_bdnet, default_opset=op)
def averaged(x: FLOAT, strides: Sequence[int], residual: int) -> FLOAT:
    """The shortcut around a depth-wise unit: averages of windows as large as its strides.

    Where there is nothing to average, the loop runs on next to nothing, and not at all.
    """
    windows = op.Greater(
        op.ReduceProd(op.Constant(value_ints=strides), keepdims=0), op.Constant(value_int=1)
    )
    residuals = op.Greater(op.Constant(value_int=residual), op.Constant(value_int=0))
    needed = op.And(windows, residuals)
    everything = op.Constant(value_ints=[2147483647])
    none = op.Constant(value_ints=[0])
    single = op.Constant(value_ints=[1])
    size = op.Where(needed, everything, single)
    seen = op.Slice(x, none, size, single)
    pooled = window_averages(seen, op.Where(needed, none, everything), kernel_shape=strides)
    if needed:  # noqa: SIM108  onnxscript reads no conditional expression
        y = op.Identity(pooled)
    else:
        y = op.Identity(x)
    return y


@script(ai_bdnet, default_opset=op)
def repeated(x: FLOAT, weight: UINT8, residual: int) -> FLOAT:
    """The shortcut around a point-wise unit: x, its channels repeated up to those of weight."""
    if op.Greater(op.Constant(value_int=residual), op.Constant(value_int=0)):
        none = op.Constant(value_ints=[0])
        single = op.Constant(value_ints=[1])
        filters = op.Shape(weight, start=-2, end=-1)
        channels = op.Shape(x, start=3, end=4)
        copies = op.Div(filters + channels - single, channels)
        tiled = op.Tile(x, op.Concat(single, single, single, copies, axis=0))
        y = op.Slice(tiled, none, filters, op.Constant(value_ints=[3]))
    else:
        y = op.Identity(x)
    return y


@script(ai_bdnet, default_opset=op)
def SeparableBlock(  # noqa: N802
    x: FLOAT,
    depthwise_weight: UINT8,
    depthwise_shift: FLOAT,
    depthwise_scale: FLOAT,
    depthwise_bn_mul: FLOAT,
    depthwise_bn_add: FLOAT,
    depthwise_shift_in: FLOAT,
    depthwise_slope: FLOAT,
    depthwise_shift_out: FLOAT,
    pointwise_weight: UINT8,
    pointwise_shift: FLOAT,
    pointwise_scale: FLOAT,
    pointwise_bn_mul: FLOAT,
    pointwise_bn_add: FLOAT,
    pointwise_shift_in: FLOAT,
    pointwise_slope: FLOAT,
    pointwise_shift_out: FLOAT,
    kernel_shape: Sequence[int],
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int],
    pad_value: int,
    channels: int,
    depthwise_residual: int,
    depthwise_rectify: int,
    pointwise_residual: int,
    pointwise_rectify: int,
    packing_version: int,
) -> FLOAT:
    """A depth-wise unit and the point-wise unit behind it, each by rule 5 of the contract.

    x [N, H, W, C]; weights uint8 in packing v1, one plane binary, two ternary: depth-wise [C, B]
    or [2, C, B], point-wise [M, B] or [2, M, B]; constants float32 [C], [M] or [1];
    y [N, Ho, Wo, M].
    """
    signs = sign_convolution(
        x + depthwise_shift,
        depthwise_weight,
        kernel_shape=kernel_shape,
        channels=1,
        strides=strides,
        pads=pads,
        dilations=dilations,
        group=channels,
        pad_value=pad_value,
    )
    hidden = epilogue(
        signs,
        averaged(x, strides=strides, residual=depthwise_residual),
        depthwise_scale,
        depthwise_bn_mul,
        depthwise_bn_add,
        depthwise_shift_in,
        depthwise_slope,
        depthwise_shift_out,
        residual=depthwise_residual,
        rectify=depthwise_rectify,
    )
    mixed = sign_convolution(
        hidden + pointwise_shift,
        pointwise_weight,
        kernel_shape=[1, 1],
        channels=channels,
        strides=[1, 1],
        pads=[0, 0, 0, 0],
        dilations=[1, 1],
        group=1,
        pad_value=0,
    )
    return epilogue(
        mixed,
        repeated(hidden, pointwise_weight, residual=pointwise_residual),
        pointwise_scale,
        pointwise_bn_mul,
        pointwise_bn_add,
        pointwise_shift_in,
        pointwise_slope,
        pointwise_shift_out,
        residual=pointwise_residual,
        rectify=pointwise_rectify,
    )


@script(ai_bdnet, default_opset=op)
def OrderedStem(  # noqa: N802
    image: FLOAT,
    weight: FLOAT,
    bn_mul: FLOAT,
    bn_add: FLOAT,
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int],
) -> FLOAT:
    """The float stem: an OrderedConv of the image, then batch normalisation, to NHWC.

    image [N, C, H, W]; weight [kh, kw, C, M]; bn_mul and bn_add [M] or [1];
    y [N, Ho, Wo, M].
    """
    x = op.Transpose(image, perm=[0, 2, 3, 1])
    y = OrderedConv(x, weight, strides=strides, pads=pads, dilations=dilations)
    return y * bn_mul + bn_add


OPERATORS: tuple[OnnxFunction, ...] = (
    BinaryConv,
    TernaryConv,
    BinaryLinear,
    TernaryLinear,
    OrderedConv,
    OrderedAveragePool,
    SeparableBlock,
    OrderedStem,
)

PARTS: tuple[OnnxFunction, ...] = (
    unpacked,
    sign_convolution,
    sign_product,
    window_averages,
    epilogue,
    averaged,
    repeated,
)
"""What the operators' bodies are written with. They stand in no file: bodies.py inlines them."""
