"""The deployment form: a trained network with its constants folded and its weights packed.

It is the exact reference. What leaves its body is what every kernel and the ONNX file's own
standard operators must produce, bit for bit; docs/numerics.md is the contract it follows.
Constants are computed once, here, in float64 from the trained parameters, and rounded to float32
once. Inside, activations are NHWC, as in the exported file.
"""

from bdnet.deployment.constants import constants_digest, fold_bn, require_finite, require_type
from bdnet.deployment.copying import plain_copy, require_own_forward, unwrapped
from bdnet.deployment.layers import (
    DeployedConv,
    DeployedPReLU,
    DeployedReLU,
    DeployedShortcut,
    DeployedSignConv2d,
    DeployedSignLinear,
    deploy_activation,
)
from bdnet.deployment.module import deploy_module, module_layers, replaced_layers
from bdnet.deployment.network import DeployedNet, deploy, is_network
from bdnet.deployment.units import DeployedBlock, DeployedHead, DeployedStem, DeployedUnit

__all__ = [
    "DeployedBlock",
    "DeployedConv",
    "DeployedHead",
    "DeployedNet",
    "DeployedPReLU",
    "DeployedReLU",
    "DeployedShortcut",
    "DeployedSignConv2d",
    "DeployedSignLinear",
    "DeployedStem",
    "DeployedUnit",
    "constants_digest",
    "deploy",
    "deploy_activation",
    "deploy_module",
    "fold_bn",
    "is_network",
    "module_layers",
    "plain_copy",
    "replaced_layers",
    "require_finite",
    "require_own_forward",
    "require_type",
    "unwrapped",
]
