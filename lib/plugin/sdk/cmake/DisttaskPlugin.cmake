# disttask_add_plugin(NAME n SOURCES file… [LINK library…])
# A task-type plugin: the module n.so, C11 or C++20, that exports the entry point and nothing else and leaves no symbol undefined. The same function in the source
# tree and after find_package(disttask); the SDK headers come with it. The C++ runtime may be linked in statically (LINK -static-libstdc++): the ABI does not care.
function(disttask_add_plugin)
  cmake_parse_arguments(P "" "NAME" "SOURCES;LINK" ${ARGN})
  if(NOT P_NAME OR NOT P_SOURCES OR P_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "usage: disttask_add_plugin(NAME n SOURCES file… [LINK library…])")
  endif()
  set(map ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/disttask_plugin.map)
  add_library(${P_NAME} MODULE ${P_SOURCES})
  set_target_properties(${P_NAME} PROPERTIES
    PREFIX "" SUFFIX ".so"
    C_STANDARD 11 C_VISIBILITY_PRESET hidden
    CXX_STANDARD 20 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    POSITION_INDEPENDENT_CODE ON
    LINK_DEPENDS ${map})
  target_link_libraries(${P_NAME} PRIVATE disttask::plugin_sdk ${P_LINK})
  target_link_options(${P_NAME} PRIVATE -Wl,--version-script=${map} -Wl,-z,defs)
endfunction()
