# What a build can choose, the language level, warnings and sanitizers.
option(DISTTASK_BUILD_TESTS "Build the tests, benchmarks and examples" OFF)
option(DISTTASK_WERROR "Treat warnings as errors" OFF)
option(DISTTASK_FAILPOINTS "Compile the named test hooks in (follows DISTTASK_BUILD_TESTS)" ${DISTTASK_BUILD_TESTS})
set(DISTTASK_SANITIZE "" CACHE STRING "address (with undefined), thread, or fuzzer (address and undefined for the fuzz targets, clang only)")
set_property(CACHE DISTTASK_SANITIZE PROPERTY STRINGS "" address thread fuzzer)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "" FORCE)
endif()
find_program(DISTTASK_CCACHE ccache)
if(DISTTASK_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${DISTTASK_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${DISTTASK_CCACHE})
endif()

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
# A static library hands its private libraries on to whoever links it, in whatever folder that is.
set(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL ON)
find_package(Threads REQUIRED)

# Warnings for our own targets; third-party headers come in as SYSTEM.
set(DISTTASK_WARNINGS
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wundef
  # With optimisation g++ 12 sees both in std::string and std::variant where there is neither.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>
  $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor>
  $<$<COMPILE_LANGUAGE:CXX>:-Woverloaded-virtual>
  $<$<COMPILE_LANGUAGE:CXX>:-Wold-style-cast>)
if(DISTTASK_WERROR)
  list(APPEND DISTTASK_WARNINGS -Werror)
endif()

if(DISTTASK_SANITIZE STREQUAL "address")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
elseif(DISTTASK_SANITIZE STREQUAL "thread")
  add_compile_options(-fsanitize=thread)
  add_link_options(-fsanitize=thread)
elseif(DISTTASK_SANITIZE STREQUAL "fuzzer")
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  add_compile_definitions(_GLIBCXX_ASSERTIONS=1)
  add_link_options(-fsanitize=address,undefined)
elseif(DISTTASK_SANITIZE)
  message(FATAL_ERROR "DISTTASK_SANITIZE is '${DISTTASK_SANITIZE}'; expected address, thread or fuzzer")
endif()
if(DISTTASK_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-Wno-maybe-uninitialized)  # with sanitizers g++ sees it where it is not, in the standard library too
endif()
if(DISTTASK_FAILPOINTS)
  add_compile_definitions(DISTTASK_FAILPOINTS=1)
endif()
