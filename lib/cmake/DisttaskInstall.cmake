# The CMake package: find_package(disttask) gives disttask::NAME for each component and disttask_add_plugin(); find_package(disttask COMPONENTS sdk) gives
# disttask::plugin_sdk and disttask_add_plugin() alone, and asks for nothing else.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/disttask)
install(EXPORT disttask_sdk NAMESPACE disttask:: FILE disttaskSdkTargets.cmake DESTINATION ${package_dir})
install(EXPORT disttask NAMESPACE disttask:: FILE disttaskTargets.cmake DESTINATION ${package_dir})
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/disttaskConfig.cmake.in ${CMAKE_BINARY_DIR}/disttaskConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/disttaskConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/disttaskConfig.cmake ${CMAKE_BINARY_DIR}/disttaskConfigVersion.cmake DESTINATION ${package_dir})
