# Finds ONNX Runtime's library, or fetches it into a per-user cache, and defines the imported target
# `bdnet::onnxruntime`, with the headers of FindOrtHeaders.cmake. Tried in this order:
#   1. -DBDNET_ORT_LIBRARY=FILE
#   2. a library that the system has
#   3. the wheel of the Python package onnxruntime, by pip: it holds a library for every glibc from
#      2.28 on, and pip fetches that of another processor as well
# The library may be newer than the headers: it serves every API from the first to its own.
include_guard(GLOBAL)

set(BDNET_ORT_LIBRARY "" CACHE FILEPATH "libonnxruntime.so (1.21 or newer); empty: search")

# The wheel's version; 1.27 is the newest that qemu-user 7.2 runs.
set(ort_wheel_version 1.27.0)
set(ort_soname libonnxruntime.so.1)

# Fetches the wheel's library for the target into `cache`, under the name that programs load.
function(fetch_ort_library cache reason_if_not)
  if(NOT CMAKE_SYSTEM_NAME STREQUAL "Linux"
     OR NOT CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|aarch64)$")
    set(${reason_if_not} "there is none for ${CMAKE_SYSTEM_NAME} on ${CMAKE_SYSTEM_PROCESSOR}"
        PARENT_SCOPE)
    return()
  endif()
  find_program(BDNET_PYTHON NAMES python3 NO_CMAKE_FIND_ROOT_PATH)
  mark_as_advanced(BDNET_PYTHON)
  if(NOT BDNET_PYTHON)
    set(${reason_if_not} "there is no python3" PARENT_SCOPE)
    return()
  endif()
  message(STATUS "Fetching ONNX Runtime's library from its Python package")
  set(work "${CMAKE_BINARY_DIR}/ort_library")
  file(REMOVE_RECURSE "${work}")
  execute_process(
    COMMAND "${BDNET_PYTHON}" -m pip download --quiet --disable-pip-version-check --no-deps
      --only-binary=:all: --implementation cp --python-version 3.12
      --platform manylinux_2_28_${CMAKE_SYSTEM_PROCESSOR}
      --platform manylinux_2_27_${CMAKE_SYSTEM_PROCESSOR}
      --dest "${work}" onnxruntime==${ort_wheel_version}
    OUTPUT_QUIET ERROR_VARIABLE log RESULT_VARIABLE failed TIMEOUT 300)
  file(GLOB wheels "${work}/*.whl")
  if(failed OR NOT wheels)
    string(REGEX MATCH "[^\n]*ERROR[^\n]*|No module named pip" error "${log}")
    set(${reason_if_not} "pip could not fetch it (${error})" PARENT_SCOPE)
    return()
  endif()
  file(ARCHIVE_EXTRACT INPUT "${wheels}" DESTINATION "${work}"
       PATTERNS "onnxruntime/capi/libonnxruntime.so.*")
  string(RANDOM LENGTH 8 unique)
  file(MAKE_DIRECTORY "${cache}")
  file(COPY_FILE "${work}/onnxruntime/capi/libonnxruntime.so.${ort_wheel_version}"
       "${cache}/${ort_soname}.${unique}" RESULT failed)
  if(failed)
    set(${reason_if_not} "its wheel has no library" PARENT_SCOPE)
    return()
  endif()
  file(RENAME "${cache}/${ort_soname}.${unique}" "${cache}/${ort_soname}")
  file(REMOVE_RECURSE "${work}")
  set(${reason_if_not} "" PARENT_SCOPE)
endfunction()

function(find_ort_library result)
  if(BDNET_ORT_LIBRARY)
    if(NOT EXISTS "${BDNET_ORT_LIBRARY}")
      message(FATAL_ERROR "BDNET_ORT_LIBRARY=${BDNET_ORT_LIBRARY} is not there; give the path of "
              "ONNX Runtime's ${ort_soname}.")
    endif()
    set(${result} "${BDNET_ORT_LIBRARY}" PARENT_SCOPE)
    return()
  endif()

  find_library(system_library onnxruntime NO_CACHE)
  if(system_library)
    set(${result} "${system_library}" PARENT_SCOPE)
    return()
  endif()

  find_ort_cache(cache)
  cmake_path(SET cache NORMALIZE
             "${cache}/../../onnxruntime-${ort_wheel_version}-${CMAKE_SYSTEM_PROCESSOR}")
  set(library "${cache}/${ort_soname}")
  if(NOT EXISTS "${library}")
    fetch_ort_library("${cache}" wheel_reason)
    if(wheel_reason)
      message(FATAL_ERROR
        "The program needs ONNX Runtime's library. Tried:\n"
        "  1. -DBDNET_ORT_LIBRARY: not given\n"
        "  2. the system's library: not found\n"
        "  3. the Python package onnxruntime ${ort_wheel_version}: ${wheel_reason}\n"
        "Get the library by any means and pass it as -DBDNET_ORT_LIBRARY=FILE.")
    endif()
  endif()
  set(${result} "${library}" PARENT_SCOPE)
endfunction()

find_ort_library(ort_library)
message(STATUS "ONNX Runtime library: ${ort_library}")
add_library(bdnet::onnxruntime SHARED IMPORTED)
set_target_properties(bdnet::onnxruntime PROPERTIES IMPORTED_LOCATION "${ort_library}")
target_link_libraries(bdnet::onnxruntime INTERFACE bdnet_ort_headers)
