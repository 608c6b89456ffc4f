"""The layers of MobileNet V1, width 1.0, which are BDMobileNetV1's too."""

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
