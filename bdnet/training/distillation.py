"""The loss: of the labels, and of a teacher where there is one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bdnet.training.recipe import Recipe


@dataclass(frozen=True)
class Loss:
    """(1 - a) * cross entropy of the labels + a * T^2 * KL(teacher's || student's probabilities).

    Probabilities are those of logits / T; T^2 keeps the gradients' size as T changes (Hinton et
    al., 2015). Without a teacher it is the cross entropy alone.

    Args:
        recipe: a is its ``distillation``, T its ``temperature``.
        teacher: in evaluation mode, on the student's device; takes the same images and returns
            logits [N, classes].
    """

    recipe: Recipe
    teacher: nn.Module | None

    def __call__(self, logits: Tensor, images: Tensor, labels: Tensor) -> Tensor:
        logits = logits.float()
        loss = F.cross_entropy(logits, labels, label_smoothing=self.recipe.label_smoothing)
        if self.teacher is None:
            return loss
        share, temperature = self.recipe.distillation, self.recipe.temperature
        with torch.no_grad():
            target = F.log_softmax(self.teacher(images).float() / temperature, dim=1)
        found = F.log_softmax(logits / temperature, dim=1)
        taught = F.kl_div(found, target, reduction="batchmean", log_target=True)
        return (1 - share) * loss + share * temperature**2 * taught


def teacher_digest(teacher: nn.Module | None) -> str | None:
    """SHA-256 of a teacher's parameters and buffers, None where there is none."""
    if teacher is None:
        return None
    content = hashlib.sha256()
    for name, tensor in sorted(teacher.state_dict().items()):
        content.update(name.encode())
        content.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return content.hexdigest()
