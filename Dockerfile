# Images of bdnet; docs/images.md says how to build and use each.
#   builder  compiles the wheels, for both processors on either of them
#   ci       what the tests need
#   export   bdnet-export with PyTorch for the CPU
#   runtime  what a device needs: Python, NumPy, ONNX Runtime and bdnet, on 64-bit x86 or ARM

FROM python:3.11.14-slim-bookworm AS base
LABEL org.opencontainers.image.title="bdnet" \
      org.opencontainers.image.description="Binary and 1.58-bit networks from PyTorch to ONNX Runtime" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore \
    PYTHONUNBUFFERED=1
# Who runs everything: 10001. By number, so that whoever starts a container can see that it is not root.
RUN useradd --create-home --uid 10001 bdnet


FROM base AS builder
WORKDIR /source
COPY constraints.txt ./
RUN pip install --constraint constraints.txt auditwheel numpy onnxruntime scikit-build-core
COPY . .
RUN install --directory --owner=10001 /dist && chown --recursive 10001 /source
USER 10001
RUN PYTHONPATH=devices:runtime python release/wheels.py /dist


FROM base AS ci
# Where PyTorch's build for the CPU comes from; the plain one brings several GB of CUDA.
ARG TORCH_INDEX_URL
WORKDIR /source
COPY .ci/packages.txt .ci/packages.txt
RUN apt-get update \
    && xargs --arg-file=.ci/packages.txt apt-get install --yes --no-install-recommends \
    && rm -rf /var/lib/apt/lists/*
COPY . .
RUN chown --recursive 10001 /source
USER 10001
RUN test -n "$TORCH_INDEX_URL" \
    && python -m venv .venv \
    && .venv/bin/pip install --constraint constraints.txt --index-url "$TORCH_INDEX_URL" torch \
    && make .venv/installed
ENV CI=true
CMD ["make", "test"]


FROM base AS export
ARG TORCH_INDEX_URL
COPY constraints.txt /tmp/
RUN test -n "$TORCH_INDEX_URL" \
    && pip install --constraint /tmp/constraints.txt --index-url "$TORCH_INDEX_URL" torch
COPY --from=builder /dist/*.whl /tmp/dist/
RUN wheel="$(echo /tmp/dist/*_"$(uname -m)".whl)" \
    && pip install --constraint /tmp/constraints.txt "${wheel}[export]" \
    && rm -r /tmp/dist
USER 10001
WORKDIR /work
ENTRYPOINT ["bdnet-export"]
CMD ["--help"]


FROM base AS runtime
COPY constraints.txt /tmp/
COPY --from=builder /dist/*.whl /tmp/dist/
RUN pip install --constraint /tmp/constraints.txt /tmp/dist/*_"$(uname -m)".whl \
    && rm -r /tmp/dist
USER 10001
WORKDIR /work
ENTRYPOINT ["python", "-m", "bdnet_runtime"]
CMD ["--help"]
