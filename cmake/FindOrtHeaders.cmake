# Finds ONNX Runtime's headers, or fetches them into a per-user cache, and defines the interface
# target `bdnet_ort_headers`. Tried in this order:
#   1. -DBDNET_ORT_INCLUDE_DIR=DIR
#   2. headers that the system has
#   3. the package libonnxruntime-dev of Debian 13, from the mirror this machine is configured for
#   4. the release archive of the ONNX Runtime project
# The adapter is written against API 21 and asks ONNX Runtime for that one, so the headers must
# declare exactly it. It uses onnxruntime_c_api.h alone, which includes nothing but the C library; a
# program that embeds ONNX Runtime (examples/cpp/classify) uses those of the C++ API beside it.
include_guard(GLOBAL)

set(BDNET_ORT_INCLUDE_DIR "" CACHE PATH "Folder of onnxruntime_c_api.h (API 21); empty: search")

set(ort_version 1.21.0)
set(ort_api 21)
set(ort_header onnxruntime_c_api.h)
# What is fetched: the C header and those of the C++ API. Their SHA-256 as Debian's libonnxruntime-dev
# 1.21.0+dfsg-1 ships them. Whatever is fetched must match; the release archive has been checked
# against nothing else, so a difference there (line endings, say) stops the build rather than passing
# unseen.
set(ort_headers
  ${ort_header}
  onnxruntime_cxx_api.h
  onnxruntime_cxx_inline.h
  onnxruntime_float16.h
)
set(ort_headers_sha256
  7783e9664bdb0b1b36145b5c8587dd1bc9a399aa000edf2e3dd03003cafc6882
  b3b27d6a6fced0725e3f188379cca008b1d7a456997684756374d4b388f2cf05
  7f448e994c732eacd9e49900365fefa8f1ac998a6d6eb78e5f4aab1b8d9d8900
  6c4db3d1954b266c4febe413351af86cac922e3448538e7e452e51d646e56a4a
)

# Sets `result` to the API that the header in `folder` declares, empty if there is no header.
function(read_ort_api folder result)
  set(api "")
  if(EXISTS "${folder}/${ort_header}")
    file(STRINGS "${folder}/${ort_header}" line LIMIT_COUNT 1
         REGEX "^#define ORT_API_VERSION [0-9]+")
    string(REGEX MATCH "[0-9]+$" api "${line}")
  endif()
  set(${result} "${api}" PARENT_SCOPE)
endfunction()

# Sets `result` to whether `folder` holds the headers that we know.
function(has_known_ort_headers folder result)
  set(${result} FALSE PARENT_SCOPE)
  foreach(header expected IN ZIP_LISTS ort_headers ort_headers_sha256)
    if(NOT EXISTS "${folder}/${header}")
      return()
    endif()
    file(SHA256 "${folder}/${header}" digest)
    if(NOT digest STREQUAL expected)
      return()
    endif()
  endforeach()
  set(${result} TRUE PARENT_SCOPE)
endfunction()

function(find_ort_cache result)
  if(DEFINED ENV{XDG_CACHE_HOME} AND NOT "$ENV{XDG_CACHE_HOME}" STREQUAL "")
    set(root "$ENV{XDG_CACHE_HOME}")
  elseif(DEFINED ENV{HOME} AND NOT "$ENV{HOME}" STREQUAL "")
    set(root "$ENV{HOME}/.cache")
  else()
    set(root "${CMAKE_BINARY_DIR}/cache")
  endif()
  set(${result} "${root}/bdnet/onnxruntime-${ort_version}/include" PARENT_SCOPE)
endfunction()

# Copies fetched headers into the cache if they are those we know. The renames make it safe that two
# builds do this at once.
function(keep_ort_headers folder cache reason_if_not)
  has_known_ort_headers("${folder}" known)
  if(NOT known)
    set(${reason_if_not} "what was fetched has no ${ort_header} with the expected SHA-256"
        PARENT_SCOPE)
    return()
  endif()
  string(RANDOM LENGTH 8 unique)
  file(MAKE_DIRECTORY "${cache}")
  foreach(header IN LISTS ort_headers)
    file(COPY_FILE "${folder}/${header}" "${cache}/${header}.${unique}")
    file(RENAME "${cache}/${header}.${unique}" "${cache}/${header}")
  endforeach()
  set(${reason_if_not} "" PARENT_SCOPE)
endfunction()

# Fetches Debian's package into `cache`. Needs no root: apt gets folders and a source list of its
# own. Sets `reason_if_not` to an empty string on success.
function(fetch_ort_from_debian cache reason_if_not)
  find_program(APT_GET apt-get)
  find_program(DPKG_DEB dpkg-deb)
  mark_as_advanced(APT_GET DPKG_DEB)
  if(NOT APT_GET OR NOT DPKG_DEB)
    set(${reason_if_not} "apt-get and dpkg-deb are not both installed" PARENT_SCOPE)
    return()
  endif()

  # The mirror: where this machine gets Debian itself from. The addresses of the indices say it,
  # even on a machine that has never fetched one.
  execute_process(COMMAND "${APT_GET}" update --print-uris OUTPUT_VARIABLE indices ERROR_QUIET)
  set(suites "oldstable|stable|testing|unstable|bullseye|bookworm|trixie|forky|sid")
  string(REGEX MATCH "'([^' ]+)/dists/(${suites})/InRelease'" index "${indices}")
  if(NOT index)
    set(${reason_if_not} "apt is not configured with a Debian mirror" PARENT_SCOPE)
    return()
  endif()
  set(mirror "${CMAKE_MATCH_1}")

  set(signed_by "")
  if(EXISTS /usr/share/keyrings/debian-archive-keyring.gpg)
    set(signed_by "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ")
  endif()

  set(work "${CMAKE_BINARY_DIR}/ort_headers")
  file(REMOVE_RECURSE "${work}")
  file(MAKE_DIRECTORY "${work}/lists/partial" "${work}/cache/archives/partial")
  file(WRITE "${work}/sources.list" "deb ${signed_by}${mirror} trixie main\n")
  set(apt "${APT_GET}" -q
      -o Dir::Etc::sourcelist=${work}/sources.list -o Dir::Etc::sourceparts=/dev/null
      -o Dir::State::lists=${work}/lists -o Dir::State::status=/dev/null
      -o Dir::Cache=${work}/cache -o Acquire::Languages=none
      -o APT::Update::Error-Mode=any
      # apt run by root hands downloads to a user who may not read these folders.
      -o APT::Sandbox::User=root)
  message(STATUS "Fetching ONNX Runtime's headers from Debian's libonnxruntime-dev")
  execute_process(
    COMMAND ${apt} update
    OUTPUT_VARIABLE log ERROR_VARIABLE log RESULT_VARIABLE failed TIMEOUT 180)
  if(NOT failed)
    execute_process(
      COMMAND ${apt} download libonnxruntime-dev
      WORKING_DIRECTORY "${work}"
      OUTPUT_VARIABLE log ERROR_VARIABLE log RESULT_VARIABLE failed TIMEOUT 180)
  endif()
  file(GLOB packages "${work}/libonnxruntime-dev_*.deb")
  if(failed OR NOT packages)
    string(REGEX MATCH "E: [^\n]*" error "${log}")
    set(${reason_if_not} "apt-get could not fetch libonnxruntime-dev of trixie (${error})"
        PARENT_SCOPE)
    return()
  endif()

  list(GET packages 0 package)
  execute_process(COMMAND "${DPKG_DEB}" -x "${package}" "${work}/package" ERROR_QUIET)
  keep_ort_headers("${work}/package/usr/include/onnxruntime" "${cache}" reason)
  file(REMOVE_RECURSE "${work}")
  set(${reason_if_not} "${reason}" PARENT_SCOPE)
endfunction()

# Fetches the project's release archive into `cache`. The headers in it are the same for every
# processor, so any of the archives serves.
function(fetch_ort_from_release cache reason_if_not)
  set(name onnxruntime-linux-x64-${ort_version})
  set(url https://github.com/microsoft/onnxruntime/releases/download/v${ort_version}/${name}.tgz)
  set(work "${CMAKE_BINARY_DIR}/ort_headers")
  file(REMOVE_RECURSE "${work}")
  message(STATUS "Fetching ONNX Runtime's headers from ${url}")
  file(DOWNLOAD "${url}" "${work}/release.tgz" TLS_VERIFY ON INACTIVITY_TIMEOUT 20 TIMEOUT 300
       STATUS status)
  list(POP_FRONT status code)
  if(NOT code EQUAL 0)
    file(REMOVE_RECURSE "${work}")
    set(${reason_if_not} "the download failed (${status})" PARENT_SCOPE)
    return()
  endif()
  file(ARCHIVE_EXTRACT INPUT "${work}/release.tgz" DESTINATION "${work}"
       PATTERNS "*/include/*.h")
  keep_ort_headers("${work}/${name}/include" "${cache}" reason)
  file(REMOVE_RECURSE "${work}")
  set(${reason_if_not} "${reason}" PARENT_SCOPE)
endfunction()

function(find_ort_headers result)
  if(BDNET_ORT_INCLUDE_DIR)
    read_ort_api("${BDNET_ORT_INCLUDE_DIR}" api)
    if(NOT api EQUAL ort_api)
      if(api)
        set(found "one of API ${api}")
      else()
        set(found "none")
      endif()
      message(FATAL_ERROR "BDNET_ORT_INCLUDE_DIR=${BDNET_ORT_INCLUDE_DIR} must hold the "
              "${ort_header} of ONNX Runtime 1.${ort_api} (API ${ort_api}); it holds ${found}.")
    endif()
    set(${result} "${BDNET_ORT_INCLUDE_DIR}" PARENT_SCOPE)
    return()
  endif()

  find_path(system_folder ${ort_header}
            PATH_SUFFIXES onnxruntime onnxruntime/core/session NO_CACHE)
  set(system_reason "not found")
  if(system_folder)
    read_ort_api("${system_folder}" api)
    if(api EQUAL ort_api)
      set(${result} "${system_folder}" PARENT_SCOPE)
      return()
    endif()
    set(system_reason "${system_folder} has API ${api}")
  endif()

  find_ort_cache(cache)
  has_known_ort_headers("${cache}" cached)
  if(NOT cached)
    fetch_ort_from_debian("${cache}" debian_reason)
    if(debian_reason)
      fetch_ort_from_release("${cache}" release_reason)
      if(release_reason)
        message(FATAL_ERROR
          "The build needs ${ort_header} of ONNX Runtime ${ort_version} (API ${ort_api}). Tried:\n"
          "  1. -DBDNET_ORT_INCLUDE_DIR: not given\n"
          "  2. the system's header: ${system_reason}\n"
          "  3. Debian's libonnxruntime-dev ${ort_version}: ${debian_reason}\n"
          "  4. the release archive of ONNX Runtime ${ort_version}: ${release_reason}\n"
          "Get the header by any means and pass its folder as -DBDNET_ORT_INCLUDE_DIR=FOLDER.")
      endif()
    endif()
  endif()
  set(${result} "${cache}" PARENT_SCOPE)
endfunction()

find_ort_headers(ort_include)
message(STATUS "ONNX Runtime headers: ${ort_include}")
add_library(bdnet_ort_headers INTERFACE)
target_include_directories(bdnet_ort_headers SYSTEM INTERFACE "${ort_include}")
