"""The training loop."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from rich.console import Console
from torch import nn

from bdnet.errors import InputError
from bdnet.models import Network
from bdnet.preprocessing import Preprocessing
from bdnet.training import processes, resume
from bdnet.training.batches import LabelledImages, Share, evaluation_batches, training_batches
from bdnet.training.distillation import Loss, teacher_digest
from bdnet.training.log import Log
from bdnet.training.progress import Display, display
from bdnet.training.recipe import Recipe
from bdnet.training.trainee import Trainee, stage_of


@torch.no_grad()
def accuracy(model: nn.Module, data: LabelledImages, preprocessing: Preprocessing) -> float:
    """The share of ``data`` that ``model``, in evaluation mode, classifies correctly."""
    training = model.training
    model.eval()
    device = next(model.parameters()).device
    workers = torch.get_num_threads()
    correct = 0
    for images, labels in evaluation_batches(data, preprocessing, workers):
        logits = model(images.to(device))
        correct += int((logits.argmax(1).cpu() == labels).sum())
    model.train(training)
    return correct / len(data)


def train(
    model: Network,
    recipe: Recipe,
    training: LabelledImages,
    validation: LabelledImages,
    preprocessing: Preprocessing,
    resume_file: Path,
    console: Console,
    *,
    teacher: nn.Module | None = None,
    log: Log | None = None,
) -> resume.Progress:
    """Trains ``model`` in place, by ``recipe``, from where ``resume_file`` left off if it exists.

    The state is written to ``resume_file`` after each epoch; on a CPU the bits that come out are
    the same however often the training was interrupted. ``model`` ends as the last epoch's network,
    not the best one's: choosing by validation accuracy makes that accuracy look better than it is.
    Whoever wants that one finds its weights in the progress.

    Args:
        teacher: takes the same images and returns logits of the same classes.
        log: is told each epoch's numbers.

    Raises:
        InputError: too few images for one batch, a loss that is not finite, a resume file that
            cannot be used, or processes or a precision that cannot be had here.
    """
    steps = len(training) // recipe.batch_size
    if steps == 0:
        raise InputError(
            f"--batch-size is {recipe.batch_size}, but there are only {len(training)} training "
            "images"
        )
    accelerator = processes.start(recipe)
    if not accelerator.is_main_process:
        console = Console(quiet=True)
    # Channels last takes a fifth off a step on a CPU.
    model.to(accelerator.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    if teacher is not None:
        teacher = teacher.to(accelerator.device).eval()
    origin = resume.Origin(recipe, training.digest(), teacher_digest(teacher))
    saved = resume.read(resume_file, origin) if resume_file.exists() else None
    progress = resume.Progress() if saved is None else saved.progress
    trainee = Trainee(model, recipe, stage_of(recipe, max(0, progress.epochs - 1)), accelerator)
    if saved is not None:
        trainee.load_state(saved.trainee)
        console.print(f"continuing after epoch {progress.epochs} of {recipe.all_epochs}")
    part = _Part(
        processes.parallel(model, accelerator),
        recipe,
        Loss(recipe, teacher),
        training,
        preprocessing,
    )
    with display(console, recipe.all_epochs, steps, progress.epochs) as shown:
        for epoch in range(progress.epochs, recipe.all_epochs):
            start, cpu_start = time.perf_counter(), time.process_time()
            if stage_of(recipe, epoch) != trainee.stage:
                trainee.settle()
                trainee = Trainee(model, recipe, stage_of(recipe, epoch), accelerator)
            loss = part.epoch(epoch, trainee, accelerator, shown)
            if not math.isfinite(loss):
                raise InputError(f"the loss of epoch {epoch + 1} is {loss}: lower --lr")
            if not accelerator.is_main_process:
                continue
            measured = accuracy(trainee.evaluated, validation, preprocessing)
            seconds = time.perf_counter() - start
            progress.add(trainee, loss, measured, seconds, time.process_time() - cpu_start)
            resume.write(resume_file, origin, progress, trainee)
            shown.epoch(epoch + 1, loss, measured, seconds)
            if log is not None:
                log.write(progress.history)
    trainee.settle()
    return progress


@dataclass(frozen=True)
class _Part:
    """What one process does of every epoch.

    Args:
        model: the network, with its gradients averaged over the processes.
        data: the training images of all processes.
    """

    model: nn.Module
    recipe: Recipe
    loss: Loss
    data: LabelledImages
    preprocessing: Preprocessing

    def epoch(
        self, epoch: int, trainee: Trainee, accelerator: Accelerator, shown: Display
    ) -> float:
        """One pass over the data; returns the mean loss of this process's share."""
        self.model.train()
        share = Share(accelerator.process_index, accelerator.num_processes)
        batches = training_batches(self.data, self.recipe, epoch, self.preprocessing, share)
        stage, steps = trainee.stage, len(self.data) // self.recipe.batch_size
        total = torch.zeros((), dtype=torch.float64, device=accelerator.device)
        first = (epoch - stage.first) * steps
        for step, (images, labels) in enumerate(batches, first):
            images, labels = images.to(accelerator.device), labels.to(accelerator.device)
            with accelerator.autocast():
                loss = self.loss(self.model(images), images, labels)
            trainee.optimizer.zero_grad()
            accelerator.backward(loss)
            trainee.step(self.recipe.learning_rate(step, steps, stage.epochs))
            total += loss.detach()
            shown.step(epoch + 1)
        return total.item() / steps
