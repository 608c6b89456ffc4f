# The options of every C++ target of the project, as one interface library to link to.
include_guard(GLOBAL)

add_library(bdnet_compile_options INTERFACE)
target_compile_features(bdnet_compile_options INTERFACE cxx_std_17)
target_compile_options(bdnet_compile_options INTERFACE
  # a * b + c must round twice: GCC contracts it to one fused operation on aarch64 by default, and
  # one float that is rounded otherwise can flip a sign.
  -ffp-contract=off
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror
  # Clang does without an attribute that only GCC needs.
  $<$<CXX_COMPILER_ID:Clang,AppleClang>:-Wno-unknown-attributes>
)

# Explicit about what CMake would otherwise inherit from the caller.
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_FLAGS_RELEASE "-O3 -DNDEBUG")
