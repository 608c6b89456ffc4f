"""A training in several processes, as on several GPUs, here on the CPU."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F

import bdnet
from bdnet.data import fashion_mnist
from bdnet.training.batches import Share, training_batches
from bdnet.training.command_line import Request
from support.training import BOTH, RECIPE


def test_two_processes_share_a_batch(data: Path) -> None:
    """Together they see what one sees, each image changed in the same way."""
    images = fashion_mnist.data_set(data)
    arguments = (images.training, RECIPE, 1, images.preprocessing)
    whole = training_batches(*arguments, Share())
    halves = zip(*(training_batches(*arguments, Share(i, 2)) for i in range(2)), strict=True)
    steps = 0
    for (pixels, labels), parts in zip(whole, halves, strict=True):
        for first, (part, names) in enumerate(parts):
            assert torch.equal(part, pixels[first::2])
            assert torch.equal(names, labels[first::2])
        steps += 1
    assert steps == len(images.training) // RECIPE.batch_size


def test_two_processes_take_a_step_together(data: Path, tmp_path: Path) -> None:
    """The step is along the mean of their gradients, computed here one after the other."""
    output = tmp_path / "two" / "m.safetensors"
    output.parent.mkdir()
    images = fashion_mnist.data_set(data)
    recipe = replace(RECIPE, epochs=1, batch_size=len(images.training), optimizer="sgd", lr=0.1)
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"),
        *("-m", *Request(recipe, output, str(data)).command().split()[2:]),
        *("--data", str(data), "-o", str(output)),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in output.parent.iterdir()) == BOTH
    assert done.stdout.count("epoch 1/1") == 1
    model = recipe.build(10, 1).train()
    for i in range(2):
        share = Share(i, 2)
        (batch,) = training_batches(images.training, recipe, 0, images.preprocessing, share)
        (F.cross_entropy(model(batch[0]), batch[1]) / 2).backward()
    torch.optim.SGD(model.parameters(), recipe.lr, momentum=0.9, nesterov=True).step()
    trained = bdnet.load(output)
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(trained.get_parameter(name), parameter, msg=name)
