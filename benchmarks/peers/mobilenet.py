"""The network the peers run: MobileNet V1, width 1.0, of random weights.

It is BDMobileNetV1's without what the peers' own formats have no fused form for: no residuals, no
learned shifts, and ReLU instead of RPReLU. The peers have the easier network.
"""

STEM = 32
BLOCKS = (  # filters of the point-wise convolution, stride of the depth-wise one before it
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (1024, 2),
    (1024, 1),
)
CLASSES = 1000
