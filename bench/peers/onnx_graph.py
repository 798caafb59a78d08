"""Builds an ONNX graph (opset 17); its weights go to a file beside it, which several graphs may share."""
import os

import numpy as np
from onnx import TensorProto, helper, numpy_helper

ALIGNMENT = 4096
ONNX_TYPE = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.int64): TensorProto.INT64, np.dtype(np.int8): TensorProto.INT8}


class WeightFile:
    """Appends arrays to a file; each name is written once."""

    def __init__(self, path):
        self.location = os.path.basename(path)
        self._file = open(path, "wb")
        self._places = {}

    def put(self, name, array):
        if name not in self._places:
            self._file.write(b"\0" * (-self._file.tell() % ALIGNMENT))
            data = np.ascontiguousarray(array)
            self._places[name] = (self._file.tell(), data.nbytes)
            data.tofile(self._file)
        return self._places[name]

    def close(self):
        self._file.close()


class Graph:
    def __init__(self, weights, int8=False):
        """int8: linear layers multiply integers, as onnxruntime.quantization.quantize_dynamic makes them."""
        self._weights, self._int8 = weights, int8
        self._quantized = {}
        self._nodes, self._constants, self._names = [], [], set()

    def op(self, kind, inputs, outputs, **attributes):
        """Adds a node; outputs is one name or a list, and is returned."""
        names = [outputs] if isinstance(outputs, str) else outputs
        self._nodes.append(helper.make_node(kind, inputs, names, name=names[0], **attributes))
        return outputs

    def constant(self, name, value):
        """A small constant inside the graph file."""
        array = np.asarray(value)
        self._constants.append(numpy_helper.from_array(array, name))
        return name

    def weight(self, name, array):
        """A weight in the shared file."""
        if name in self._names:
            return name
        self._names.add(name)
        offset, length = self._weights.put(name, array)
        tensor = TensorProto(name=name, data_type=ONNX_TYPE[array.dtype], dims=array.shape, data_location=TensorProto.EXTERNAL)
        for key, value in (("location", self._weights.location), ("offset", offset), ("length", length)):
            tensor.external_data.add(key=key, value=str(value))
        self._constants.append(tensor)
        return name

    def linear(self, x, name, checkpoint, bias=True):
        """x · Wᵀ + b with the weights of a Linear; MatMul wants [in, out]."""
        y = self.matmul(x, f"{name}.weight_t", checkpoint[f"{name}.weight"].T, f"{name}/matmul")
        return self.op("Add", [y, self.weight(f"{name}.bias", checkpoint[f"{name}.bias"])], f"{name}/add") if bias else y

    def matmul(self, x, name, matrix, output):
        """x · matrix, [in, out]; in int8: one scale for the matrix, symmetric, and one scale and zero point for x, found when it runs."""
        if not self._int8:
            return self.op("MatMul", [x, self.weight(name, matrix)], output)
        scale = np.float32(2 * np.abs(matrix).max() / 254)
        weight = self.weight(f"{name}_int8", np.clip(np.rint(matrix / scale), -127, 127).astype(np.int8))
        if x not in self._quantized:
            # Layers over one x share it.
            self._quantized[x] = self.op("DynamicQuantizeLinear", [x], [f"{x}/int8", f"{x}/scale", f"{x}/zero"])
        integers, x_scale, x_zero = self._quantized[x]
        zero = self.constant(f"{name}_zero", np.int8(0))
        product = self.op("Cast", [self.op("MatMulInteger", [integers, weight, x_zero, zero], f"{output}/integers")], f"{output}/float", to=TensorProto.FLOAT)
        scales = self.op("Mul", [x_scale, self.constant(f"{name}_scale", scale)], f"{output}/scales")
        return self.op("Mul", [product, scales], output)

    def layer_norm(self, x, name, checkpoint, epsilon):
        gain, bias = (self.weight(f"{name}.{part}", checkpoint[f"{name}.{part}"]) for part in ("weight", "bias"))
        return self.op("LayerNormalization", [x, gain, bias], f"{name}/norm", axis=-1, epsilon=epsilon)

    def save(self, path, inputs, outputs):
        """inputs and outputs: (name, ONNX type, shape)."""
        def values(items):
            return [helper.make_tensor_value_info(*item) for item in items]
        graph = helper.make_graph(self._nodes, "model", values(inputs), values(outputs), self._constants)
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=opsets)
        model.ir_version = 8
        with open(path, "wb") as file:
            file.write(model.SerializeToString())
