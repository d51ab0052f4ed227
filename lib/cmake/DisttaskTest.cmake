# disttask_test(NAME n LABEL unit|contract|db|plugin|system SOURCES … [DEPS component…] [LINK target…] [ENV VAR=value…] [TIMEOUT seconds] [SERIAL])
# TIMEOUT ends what hangs: many times what the slowest case takes on a machine with nothing else to do (default: 180).
# SERIAL: its cases run one after the other, since they share something that a case changes.
# One Catch2 binary; each test case becomes a ctest case "n: case" with the label. The binary links tests/support.
find_package(Catch2 2 REQUIRED)
include(Catch)

# What the sanitizer builds need: the binaries of tests that run without a server.
add_custom_target(disttask_sanitizer_tests)

function(disttask_test)
  cmake_parse_arguments(T "SERIAL" "NAME;LABEL;TIMEOUT" "SOURCES;DEPS;LINK;ENV" ${ARGN})
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 180)
  endif()
  set(target ${T_NAME}_test)
  add_executable(${target} ${T_SOURCES})
  target_compile_options(${target} PRIVATE ${DISTTASK_WARNINGS})
  target_link_libraries(${target} PRIVATE disttask_test_main ${T_LINK})
  foreach(dep IN LISTS T_DEPS)
    target_link_libraries(${target} PRIVATE disttask_${dep})
  endforeach()
  if(T_LABEL STREQUAL "unit" OR T_LABEL STREQUAL "plugin")
    add_dependencies(disttask_sanitizer_tests ${target})
  endif()
  set(env "TSAN_OPTIONS=halt_on_error=1 suppressions=${CMAKE_SOURCE_DIR}/tests/support/tsan.supp" "ASAN_OPTIONS=detect_leaks=1" ${T_ENV})
  # Escaped as often as Catch's scripts unescape it: otherwise only the first variable would arrive.
  string(REPLACE ";" "\\\\\\\\;" env "${env}")
  set(lock)
  if(T_SERIAL)
    set(lock RESOURCE_LOCK ${T_NAME})
  endif()
  # A name that Catch's filter does not find again (';' and a '-' in front cut it) fails instead of passing with nothing run.
  catch_discover_tests(${target} TEST_PREFIX "${T_NAME}: " DISCOVERY_MODE PRE_TEST EXTRA_ARGS --warn NoTests
    PROPERTIES LABELS ${T_LABEL} TIMEOUT ${T_TIMEOUT} ENVIRONMENT "${env}" ${lock})
endfunction()
