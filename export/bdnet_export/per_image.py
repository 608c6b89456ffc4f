"""One image after the other through the binary body.

Between two layers lie maps of megabytes for each image. Layer by layer, those of eight images leave
the caches and come back for the next layer; image by image they stay. So where a file takes several
images, a ``Scan`` goes through them: its body is the network's, from the image to the features, and
what follows sees all images at once. Unsqueeze, Scan and Squeeze copy nothing in ONNX Runtime.

    image [N, C, H, W] ─► [N, 1, C, H, W] ─► Scan([1, C, H, W] ─► [1, h, w, c]) ─► [N, h, w, c]

A value that crosses the border is called ``name`` outside and ``name[i]``, of image i, inside.
"""

from __future__ import annotations

from collections.abc import Iterator

import onnx
from onnx import helper

_IMAGE_AXIS = "images/Constant"
_OF_ONE = "[i]"


def image_loop(model: onnx.ModelProto) -> onnx.NodeProto | None:
    """The Scan over images, where the file has one."""
    return next((node for node in model.graph.node if node.op_type == "Scan"), None)


def loop_body(loop: onnx.NodeProto) -> onnx.GraphProto:
    """What an `image_loop` does with an image."""
    graph: onnx.GraphProto = next(a.g for a in loop.attribute if a.name == "body")
    return graph


def nodes(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    """All nodes in order, those of the loop's body after the loop."""
    for node in model.graph.node:
        yield node
        if node.op_type == "Scan":
            yield from loop_body(node).node


def constants(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """All initialisers."""
    loop = image_loop(model)
    if loop is not None:
        yield from loop_body(loop).initializer
    yield from model.graph.initializer


def run_image_by_image(model: onnx.ModelProto, features: str) -> None:
    """Puts all that ``features`` are computed from into a loop over the images.

    Args:
        model: one input, [N, C, H, W]; changed in place.
        features: the value that leaves the body, [N, h, w, c].
    """
    graph = model.graph
    image = graph.input[0].name
    inside = _ancestors(graph, features)
    of_images = inside & _descendants(graph, image)
    body = helper.make_graph(
        [node for node in graph.node if node.output[0] in inside],
        "image",
        [_of_one_image(graph.input[0])],
        [],
        # Kernels ask for their constants when a session is created, and before version 1.24 ONNX
        # Runtime shows them none of an outer graph.
        [tensor for tensor in graph.initializer if tensor.name in inside],
        # Of what has no batch, such as the operators' constants, inference finds the shapes itself.
        value_info=[_of_one_image(value) for value in graph.value_info if value.name in of_images],
    )
    _rename(body, image, _inside(image))
    loop = helper.make_node(
        "Scan", ["images/Unsqueeze"], [], "images/Scan", body=body, num_scan_inputs=1
    )
    head = [node for node in graph.node if node.output[0] not in inside]
    outside = [tensor for tensor in graph.initializer if tensor.name not in inside]
    values = [value for value in graph.value_info if value.name not in inside]
    for field in (graph.node, graph.initializer, graph.value_info):
        del field[:]
    graph.node.extend(
        [
            helper.make_node("Constant", [], [_IMAGE_AXIS], _IMAGE_AXIS, value_ints=[1]),
            helper.make_node(
                "Unsqueeze", [image, _IMAGE_AXIS], ["images/Unsqueeze"], "images/Unsqueeze"
            ),
            loop,
            *head,
        ]
    )
    graph.initializer.extend(outside)
    graph.value_info.extend(values)
    lead_out(model, features)


def lead_out(model: onnx.ModelProto, name: str) -> None:
    """Leads a value out of the loop, if it is inside, to where it has the same name."""
    loop = image_loop(model)
    if loop is None:
        return
    body = loop_body(loop)
    if all(name not in node.output for node in body.node):
        return
    _rename(body, name, _inside(name))
    # ONNX Runtime wants to know the shape of what a body puts out.
    known = [value for value in body.value_info if value.name == _inside(name)]
    for value in known:
        body.value_info.remove(value)
    untold = helper.make_tensor_value_info(_inside(name), onnx.TensorProto.FLOAT, None)
    body.output.append(known[0] if known else untold)
    index = len(loop.output)
    stacked = loop.name if index == 0 else f"{loop.name}#{index}"
    squeeze = "images/Squeeze" if index == 0 else f"images/Squeeze.{index + 1}"
    loop.output.append(stacked)
    place = list(model.graph.node).index(loop) + 1
    model.graph.node.insert(
        place, helper.make_node("Squeeze", [stacked, _IMAGE_AXIS], [name], squeeze)
    )


def outside(name: str) -> str:
    """What a value of the file is called where all images are."""
    return name.removesuffix(_OF_ONE)


def _inside(name: str) -> str:
    return name + _OF_ONE


def _ancestors(graph: onnx.GraphProto, value: str) -> set[str]:
    """All values that ``value`` is computed from, itself included; without the graph's input."""
    made_by = {name: node for node in graph.node for name in node.output}
    found, pending = set(), [value]
    while pending:
        name = pending.pop()
        if name in found:
            continue
        found.add(name)
        if name in made_by:
            pending.extend(made_by[name].input)
    return found - {graph.input[0].name}


def _descendants(graph: onnx.GraphProto, value: str) -> set[str]:
    """All values that are computed from ``value``, itself included."""
    found = {value}
    for node in graph.node:  # in an order in which they can run
        if found.intersection(node.input):
            found.update(node.output)
    return found


def _of_one_image(value: onnx.ValueInfoProto) -> onnx.ValueInfoProto:
    one = onnx.ValueInfoProto()
    one.CopyFrom(value)
    one.type.tensor_type.shape.dim[0].dim_value = 1
    return one


def _rename(body: onnx.GraphProto, old: str, new: str) -> None:
    for node in body.node:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                if name == old:
                    names[index] = new
    for value in (*body.input, *body.value_info):
        if value.name == old:
            value.name = new
