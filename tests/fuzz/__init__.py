"""Bad input on purpose: libFuzzer targets for the operators, and mutated models in ONNX Runtime."""
