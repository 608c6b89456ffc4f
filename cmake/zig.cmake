# Cross-compiles for Linux on another processor, or for older Linux systems, with the compiler of the
# Python package ziglang: it brings the C library's stubs of every version, and needs no root.
#   cmake -S . -B build/board -DCMAKE_TOOLCHAIN_FILE=cmake/zig.cmake \
#     -DBDNET_ZIG=FOLDER/ziglang/zig -DBDNET_MACHINE=aarch64
# What is built needs nothing of glibc above 2.28, the floor of ONNX Runtime's own wheels.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR "${BDNET_MACHINE}")
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES BDNET_ZIG BDNET_MACHINE)

set(CMAKE_CXX_COMPILER "${BDNET_ZIG}" c++ -target ${BDNET_MACHINE}-linux-gnu.2.28)
# The archiver of the machine that builds may not know the target's objects.
set(CMAKE_CXX_ARCHIVE_CREATE "\"${BDNET_ZIG}\" ar qc <TARGET> <OBJECTS>")
set(CMAKE_CXX_ARCHIVE_FINISH "\"${BDNET_ZIG}\" ranlib <TARGET>")

# The linker strips: the tool of the machine that builds may not know the target's objects either.
set(CMAKE_MODULE_LINKER_FLAGS_INIT -s)

# Libraries and packages of the machine that builds are not the target's.
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
