"""The Hessian of a loss as an operator, also where the loss has signs in it.

The gradient of a network of signs is a surrogate: in the backward pass each sign's derivative,
which is 0, is replaced by that of its straight-through estimator (STE). Differentiating this
gradient as it stands would see signs and quantised weights as constants, and the matrix would not
be symmetric. Here the second differentiation follows the rule of the first: wherever a sign is
differentiated, its derivative is the slope s(x) of its STE, and the slope's derivative is s'(x).

That matrix is the Hessian of a function. By the chain rule, first and second derivatives of a
composition take from each of its parts the value and two derivatives at one point. Put in place of
each sign, at the point x0 where it stands, the parabola

    sign(x0) + s(x0) (x - x0) + s'(x0) (x - x0)^2 / 2,

and the loss is smooth, with the same value and gradient at this point as the network has in
training; the matrix is its Hessian there, so it is symmetric. For activations s(x) = max(0, 2 - 2
|x|) and s'(x) = -2 sign(x) within |x| < 1 (0 at x = 0); for weights s = 1 and s' = 0; the scale
mean|w| and the threshold d of ternary weights are constants, as they are in training.

It says how the gradient that is followed changes where signs turn as often as their STEs take them
to. It says nothing of the true loss, which is constant in all latent weights almost everywhere but
for their scale.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bdnet.analysis.surrogate import twice_differentiable


class Hessian:
    """v -> H v, the second derivatives of ``loss`` times a vector, by double backward.

    The graph of the gradient is kept, so that a product costs one backward pass through it.

    Args:
        loss: a scalar that can be differentiated twice.
        parameters: what it is differentiated by, n numbers in all, in the order of vectors.

    Attributes:
        loss: its value.
        size: n.
    """

    def __init__(self, loss: Tensor, parameters: Sequence[Tensor]) -> None:
        self.loss = loss.item()
        self._parameters = list(parameters)
        self.size = sum(parameter.numel() for parameter in self._parameters)
        self._gradient = torch.autograd.grad(loss, self._parameters, create_graph=True)

    def __call__(self, vector: Tensor) -> Tensor:
        """H times ``vector``, both float64 [n]; the product is made in the parameters' dtype."""
        pieces = vector.split([parameter.numel() for parameter in self._parameters])
        directions = [
            piece.view_as(parameter).to(parameter.dtype)
            for piece, parameter in zip(pieces, self._parameters, strict=True)
        ]
        products = torch.autograd.grad(
            self._gradient,
            self._parameters,
            directions,
            retain_graph=True,
            materialize_grads=True,
        )
        return torch.cat([product.reshape(-1).to(torch.float64) for product in products])


def training_hessian(
    model: nn.Module, images: Sequence[Tensor], labels: Sequence[Tensor]
) -> Hessian:
    """The Hessian of the mean cross-entropy of some batches of one size, as training sees them.

    Batch normalisation uses each batch's own mean and variance. ``model`` is left as it is.

    Args:
        images: of each batch, float32 [N, C, H, W], normalised.
        labels: of each batch, int64 [N].
    """
    model = twice_differentiable(model).train()
    losses = [
        F.cross_entropy(model(batch), classes)
        for batch, classes in zip(images, labels, strict=True)
    ]
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return Hessian(torch.stack(losses).mean(), parameters)
