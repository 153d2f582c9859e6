# SPDX-License-Identifier: Apache-2.0
# One place for the language, the warnings, the sanitizers and the hardening. Targets get the rest
# by linking the interface library tocsin_house.

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/lib")
set(CMAKE_C_FLAGS_RELEASE "-O2 -DNDEBUG")
set(CMAKE_C_FLAGS_DEBUG "-O1 -g -fno-omit-frame-pointer")

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_C_COMPILER_LAUNCHER)
    set(CMAKE_C_COMPILER_LAUNCHER "${CCACHE}")
endif()

add_library(tocsin_house INTERFACE)
target_include_directories(tocsin_house INTERFACE "${PROJECT_SOURCE_DIR}/include")
# Outside of its folder a header is named with it: "libtocsin/limits.h", "broker/core/broker.h".
# clients/libtocsin itself is in no search path, not even by -iquote: gcc's own <limits.h> goes on
# with #include_next <limits.h> and would find libtocsin's.
target_compile_options(tocsin_house INTERFACE
    "SHELL:-iquote ${PROJECT_SOURCE_DIR}/clients"
    "SHELL:-iquote ${PROJECT_SOURCE_DIR}"
    -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wundef -Wmissing-prototypes
    -Wold-style-definition -Wpointer-arith -Wwrite-strings -Wvla -Wformat=2
    -Wimplicit-fallthrough)
if(TOCSIN_WERROR)
    target_compile_options(tocsin_house INTERFACE -Werror)
endif()

if(TOCSIN_FUZZ)
    if(NOT CMAKE_C_COMPILER_ID STREQUAL "Clang")
        message(FATAL_ERROR "TOCSIN_FUZZ needs clang: cmake --preset fuzz")
    endif()
    target_compile_options(tocsin_house INTERFACE -fsanitize=fuzzer-no-link)
endif()

if(TOCSIN_SANITIZE)
    target_compile_options(tocsin_house INTERFACE
        -fsanitize=${TOCSIN_SANITIZE} -fno-sanitize-recover=all)
    target_link_options(tocsin_house INTERFACE -fsanitize=${TOCSIN_SANITIZE})
else()
    # The sanitizers do these checks better, and do not mix with them.
    set(release "$<CONFIG:Release,RelWithDebInfo,MinSizeRel>")
    target_compile_options(tocsin_house INTERFACE
        -fstack-protector-strong
        "$<${release}:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=2;-ffunction-sections;-fdata-sections>"
        "$<$<AND:${release},$<STREQUAL:${CMAKE_SYSTEM_PROCESSOR},x86_64>>:-fstack-clash-protection;-fcf-protection>")
    target_link_options(tocsin_house INTERFACE
        -Wl,-z,relro,-z,now,-z,noexecstack "$<${release}:-Wl,--gc-sections>")
endif()
target_link_options(tocsin_house INTERFACE -Wl,--as-needed)

include(CheckPIESupported)
check_pie_supported(LANGUAGES C)

if(CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT TOCSIN_SANITIZE)
    include(CheckIPOSupported)
    check_ipo_supported(RESULT lto LANGUAGES C OUTPUT lto_reason)
    if(lto)
        set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
    else()
        message(STATUS "No link-time optimisation: ${lto_reason}")
    endif()
endif()
