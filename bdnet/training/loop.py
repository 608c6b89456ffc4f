"""The training loop."""

from __future__ import annotations

import hashlib
import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from rich.console import Console
from torch import Tensor, nn

from bdnet.data.fashion_mnist import Images
from bdnet.errors import InputError
from bdnet.models import Network
from bdnet.preprocessing import Preprocessing
from bdnet.training import resume
from bdnet.training.augmentation import flip_and_shift
from bdnet.training.progress import Display, display
from bdnet.training.recipe import Recipe

_EVALUATION_BATCH = 500


@torch.no_grad()
def accuracy(model: nn.Module, data: Images, preprocessing: Preprocessing) -> float:
    """The share of ``data`` that ``model``, in evaluation mode, classifies correctly."""
    training = model.training
    model.eval()
    correct = 0
    for start in range(0, len(data), _EVALUATION_BATCH):
        part = slice(start, start + _EVALUATION_BATCH)
        logits = model(torch.from_numpy(preprocessing(data.images[part])))
        correct += int((logits.argmax(1).numpy() == data.labels[part]).sum())
    model.train(training)
    return correct / len(data)


def digest(data: Images) -> str:
    """SHA-256 of images and labels."""
    content = hashlib.sha256(np.ascontiguousarray(data.images).data)
    content.update(data.labels.data)
    return content.hexdigest()


def train(
    model: Network,
    recipe: Recipe,
    training: Images,
    validation: Images,
    preprocessing: Preprocessing,
    resume_file: Path,
    console: Console,
) -> resume.Progress:
    """Trains ``model`` in place, by ``recipe``, from where ``resume_file`` left off if it exists.

    The state is written to ``resume_file`` after each epoch; the bits that come out are the same
    however often the training was interrupted. The network is the last epoch's, not the best
    one's: choosing by validation accuracy would make that accuracy look better than it is.

    Raises:
        InputError: too few images for one batch, a loss that is not finite, a resume file that
            cannot be used.
    """
    steps = len(training) // recipe.batch_size
    if steps == 0:
        raise InputError(
            f"--batch-size is {recipe.batch_size}, but there are only {len(training)} training "
            "images"
        )
    torch.set_num_threads(recipe.threads)
    # Channels last takes a fifth off a step on a CPU.
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    data_digest = digest(training)
    progress = resume.Progress()
    if resume_file.exists():
        progress = resume.read(resume_file, recipe, data_digest, model, optimizer)
        console.print(f"continuing after epoch {progress.epochs} of {recipe.epochs}")
    with display(console, recipe.epochs, steps, progress.epochs) as shown:
        for epoch in range(progress.epochs, recipe.epochs):
            start, cpu_start = time.perf_counter(), time.process_time()
            loss = _epoch(model, optimizer, recipe, epoch, training, preprocessing, shown)
            if not math.isfinite(loss):
                raise InputError(f"the loss of epoch {epoch + 1} is {loss}: lower --lr")
            measured = accuracy(model, validation, preprocessing)
            seconds = time.perf_counter() - start
            progress.epochs += 1
            progress.seconds += seconds
            progress.cpu_seconds += time.process_time() - cpu_start
            progress.history.append({"loss": loss, "validation_accuracy": measured})
            resume.write(resume_file, recipe, data_digest, progress, model, optimizer)
            shown.epoch(epoch + 1, loss, measured, seconds)
    return progress


def _epoch(
    model: Network,
    optimizer: torch.optim.Optimizer,
    recipe: Recipe,
    epoch: int,
    data: Images,
    preprocessing: Preprocessing,
    shown: Display,
) -> float:
    """One pass over ``data``; returns its mean loss."""
    model.train()
    generator = recipe.epoch_generator(epoch)
    images, labels = torch.from_numpy(data.images), torch.from_numpy(data.labels).long()
    steps = len(data) // recipe.batch_size
    order = torch.randperm(len(data), generator=generator)
    total = 0.0
    for step in range(steps):
        chosen = order[step * recipe.batch_size : (step + 1) * recipe.batch_size]
        batch: Tensor = flip_and_shift(images[chosen], recipe.shift, generator)
        logits = model(torch.from_numpy(preprocessing(batch.numpy())))
        loss = F.cross_entropy(logits, labels[chosen], label_smoothing=recipe.label_smoothing)
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate(epoch * steps + step, steps)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
        shown.step(epoch + 1)
    return total / steps
