# What `cmake --install` gives C++ programs: the kernels with their headers, the library that ONNX
# Runtime loads, and what lets CMake (find_package) and pkg-config find them.
include_guard(GLOBAL)
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/bdnet")

set_target_properties(bdnet_kernels PROPERTIES EXPORT_NAME kernels)
set_target_properties(bdnet_ort PROPERTIES EXPORT_NAME ort)
install(TARGETS bdnet_kernels bdnet_ort EXPORT bdnet
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}/include/bdnet"
  DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
  FILES_MATCHING PATTERN "*.h" PATTERN "*.inc")
install(EXPORT bdnet NAMESPACE bdnet:: FILE bdnetTargets.cmake DESTINATION "${package_dir}")

configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/bdnetConfig.cmake.in" bdnetConfig.cmake
  INSTALL_DESTINATION "${package_dir}")
# Before 1.0 a minor version may break; from then on only a major one may.
write_basic_package_version_file(bdnetConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES
  "${CMAKE_CURRENT_BINARY_DIR}/bdnetConfig.cmake"
  "${CMAKE_CURRENT_BINARY_DIR}/bdnetConfigVersion.cmake"
  "${PROJECT_SOURCE_DIR}/cmake/FindOrtHeaders.cmake"
  "${PROJECT_SOURCE_DIR}/cmake/FindOrtLibrary.cmake"
  DESTINATION "${package_dir}")

# Relative to the file itself, so that what was installed can be moved.
set(pc_dir "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX
  BASE_DIRECTORY "${CMAKE_INSTALL_PREFIX}/${pc_dir}" OUTPUT_VARIABLE prefix_from_pc)
get_target_property(ort_suffix bdnet_ort SUFFIX)
if(NOT ort_suffix)
  set(ort_suffix "${CMAKE_SHARED_MODULE_SUFFIX}")
endif()
configure_file("${PROJECT_SOURCE_DIR}/cmake/bdnet.pc.in" bdnet.pc @ONLY)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/bdnet.pc" DESTINATION "${pc_dir}")
