"""all-MiniLM-L6-v2 as ONNX in 8 bits, from the weights that its authors published, without torch.

    python build.py WEIGHTS.safetensors MODEL.onnx [--fp32]

Run by ``bouquetd model install minilm`` (``ops.models``) in an environment of its own with ``ONNX``, numpy,
safetensors and onnxruntime; nothing here is imported by the daemon. The graph is that of BERT (Devlin et al.,
2018), 6 layers, in plain ONNX of opset 17: Chroma's own function and any other runtime can run it. Weights of
MatMul and Gather become whole numbers of 8 bits by channel, inputs at run time (``quantize_dynamic`` of
onnxruntime); 7 bits are used of the 8, for the vector instructions of older processors saturate.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

ONNX = "onnx==1.23.2"
"""What writes the model; the other three are installed as the daemon has them."""

LAYERS, HEADS, WIDTH = 6, 12, 384

OPSET, IR = 17, 8

FAR = -10_000.0
"""Added to the score of a token that is only padding."""


class Graph:
    """Nodes and weights as they are added; each value is called after what it is."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: dict[str, Any] = {}

    def weight(self, name: str, value: Any) -> str:
        """A constant, by name."""
        self.weights[name] = value
        return name

    def add(self, kind: str, name: str, *inputs: str, **attributes: Any) -> str:
        """A node with one output, which has its name."""
        from onnx import helper

        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name


def model(tensors: dict[str, Any]) -> Any:
    """The model with weights of 32 bits; inputs and output as sentence-transformers export them."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    graph = Graph()
    add, weight = graph.add, graph.weight
    for name, value in {"zero": 0.0, "half": 0.5, "one": 1.0, "root2": 2**0.5, "far": FAR}.items():
        weight(name, np.array(value, np.float32))
    weight("heads", np.array([0, 0, HEADS, WIDTH // HEADS], np.int64))
    weight("joined", np.array([0, 0, WIDTH], np.int64))
    weight("middle", np.array([1, 2], np.int64))

    def dense(name: str, x: str, kernel: Any, bias: Any) -> str:
        product = add("MatMul", f"{name}.product", x, weight(f"{name}.kernel", np.ascontiguousarray(kernel.T)))
        return add("Add", name, weight(f"{name}.bias", bias), product)

    def normal(name: str, x: str, key: str) -> str:
        scale, bias = (weight(f"{name}.{part}", tensors[f"{key}.{part}"]) for part in ("weight", "bias"))
        return add("LayerNormalization", name, x, scale, bias, axis=-1, epsilon=1e-12)

    def gelu(name: str, x: str) -> str:  # written as onnxruntime knows how to fuse it
        erf = add("Erf", f"{name}.erf", add("Div", f"{name}.div", x, "root2"))
        product = add("Mul", f"{name}.mul", x, add("Add", f"{name}.add", erf, "one"))
        return add("Mul", name, product, "half")

    key = "embeddings.word_embeddings.weight"
    words = add("Gather", "words", weight("words.table", tensors[key]), "input_ids")
    types = add(
        "Gather",
        "types",
        weight("types.table", tensors["embeddings.token_type_embeddings.weight"]),
        "token_type_ids",
    )
    length = add(
        "Gather", "length", add("Shape", "shape", "input_ids"), weight("second", np.array(1, np.int64))
    )
    span = add(
        "Range", "span", weight("from", np.array(0, np.int64)), length, weight("step", np.array(1, np.int64))
    )
    places = add(
        "Gather", "places", weight("places.table", tensors["embeddings.position_embeddings.weight"]), span
    )
    x = normal(
        "embedded", add("Add", "summed", add("Add", "typed", words, types), places), "embeddings.LayerNorm"
    )
    seen = add("Cast", "seen", add("Unsqueeze", "wide", "attention_mask", "middle"), to=TensorProto.FLOAT)
    mask = add("Mul", "mask", add("Sub", "hidden", "one", seen), "far")

    for layer in range(LAYERS):
        own, key = f"layer{layer}", f"encoder.layer.{layer}"
        attention, scale = f"{key}.attention.self", (WIDTH / HEADS) ** -0.5
        kernels, biases = (
            [tensors[f"{attention}.{part}.{kind}"] for part in ("query", "key", "value")]
            for kind in ("weight", "bias")
        )
        kernels[0], biases[0] = kernels[0] * np.float32(scale), biases[0] * np.float32(scale)
        together = dense(f"{own}.attention", x, np.concatenate(kernels), np.concatenate(biases))
        parts = [f"{own}.{part}" for part in ("query", "key", "value")]
        graph.nodes.append(helper.make_node("Split", [together], parts, name=f"{own}.split", axis=-1))
        query, keys, values = (
            add("Transpose", f"{part}.turned", add("Reshape", f"{part}.heads", part, "heads"), perm=perm)
            for part, perm in zip(parts, ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]), strict=True)
        )
        scores = add("Add", f"{own}.masked", add("MatMul", f"{own}.scores", query, keys), mask)
        context = add("MatMul", f"{own}.context", add("Softmax", f"{own}.shares", scores, axis=-1), values)
        turned = add("Transpose", f"{own}.turned", context, perm=[0, 2, 1, 3])
        joined = add("Reshape", f"{own}.joined", turned, "joined")
        output = f"{key}.attention.output"
        out = dense(f"{own}.out", joined, tensors[f"{output}.dense.weight"], tensors[f"{output}.dense.bias"])
        x = normal(f"{own}.attended", add("Add", f"{own}.residual", out, x), f"{output}.LayerNorm")
        inner = dense(
            f"{own}.inner",
            x,
            tensors[f"{key}.intermediate.dense.weight"],
            tensors[f"{key}.intermediate.dense.bias"],
        )
        outer = dense(
            f"{own}.outer",
            gelu(f"{own}.gelu", inner),
            tensors[f"{key}.output.dense.weight"],
            tensors[f"{key}.output.dense.bias"],
        )
        last = "last_hidden_state" if layer == LAYERS - 1 else f"{own}.done"
        x = normal(last, add("Add", f"{own}.second", outer, x), f"{key}.output.LayerNorm")

    rows = ["batch", "sequence"]
    inputs = ("input_ids", "attention_mask", "token_type_ids")
    return helper.make_model(
        helper.make_graph(
            graph.nodes,
            "all-MiniLM-L6-v2",
            [helper.make_tensor_value_info(name, TensorProto.INT64, rows) for name in inputs],
            [helper.make_tensor_value_info(x, TensorProto.FLOAT, [*rows, WIDTH])],
            [numpy_helper.from_array(value, name) for name, value in graph.weights.items()],
        ),
        producer_name="bouquetd",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR,
    )


def main(weights: Path, target: Path, *, fp32: bool) -> None:
    """Build, and quantize unless ``fp32`` is asked for."""
    import onnx
    from safetensors.numpy import load_file

    built = model(load_file(str(weights)))
    onnx.checker.check_model(built)
    if fp32:
        onnx.save(built, str(target))
        return
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        onnx.save(built, str(exact := Path(folder) / "fp32.onnx"))
        quantize_dynamic(
            exact,
            target,
            op_types_to_quantize=["MatMul", "Gather"],
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), fp32="--fp32" in sys.argv[3:])
