# SPDX-License-Identifier: Apache-2.0
# How folders become targets. A folder without sources yet makes no target, and links leave out
# targets that do not exist.

function(tocsin_sources ret)
    set(patterns ${ARGN})
    list(TRANSFORM patterns PREPEND "${PROJECT_SOURCE_DIR}/")
    file(GLOB found CONFIGURE_DEPENDS ${patterns})
    set(${ret} ${found} PARENT_SCOPE)
endfunction()

# target_link_libraries for those that exist.
function(tocsin_link target)
    foreach(library IN LISTS ARGN)
        if(TARGET ${library})
            target_link_libraries(${target} PUBLIC ${library})
        endif()
    endforeach()
endfunction()

# tocsin_module(NAME SOURCES patterns... [EXCEPT file] LINK targets...): a static library.
function(tocsin_module name)
    cmake_parse_arguments(arg "" "EXCEPT" "SOURCES;LINK" ${ARGN})
    tocsin_sources(sources ${arg_SOURCES})
    if(arg_EXCEPT)
        list(REMOVE_ITEM sources "${PROJECT_SOURCE_DIR}/${arg_EXCEPT}")
    endif()
    if(sources)
        add_library(${name} STATIC ${sources})
        target_link_libraries(${name} PUBLIC tocsin_house)
        tocsin_link(${name} ${arg_LINK})
    endif()
endfunction()

# tocsin_program(TARGET NAME output MAIN file SOURCES patterns... LINK targets...): everything but
# MAIN is the static library TARGET_parts, which unit tests link too.
function(tocsin_program target)
    cmake_parse_arguments(arg "" "NAME;MAIN" "SOURCES;LINK" ${ARGN})
    tocsin_module(${target}_parts SOURCES ${arg_SOURCES} EXCEPT ${arg_MAIN} LINK ${arg_LINK})
    tocsin_sources(main ${arg_MAIN})
    if(main)
        add_executable(${target} ${main})
        target_link_libraries(${target} PUBLIC tocsin_house)
        tocsin_link(${target} ${target}_parts ${arg_LINK})
        set_target_properties(${target} PROPERTIES OUTPUT_NAME ${arg_NAME})
        set_property(GLOBAL APPEND PROPERTY TOCSIN_PROGRAMS ${target})
    endif()
endfunction()
