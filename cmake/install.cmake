# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` puts where.

get_property(programs GLOBAL PROPERTY TOCSIN_PROGRAMS)
install(TARGETS tocsin ${programs}
    RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}"
    LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(DIRECTORY include/tocsin DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING PATTERN "*.h")
install(FILES LICENSE README.md DESTINATION "${CMAKE_INSTALL_DOCDIR}")
install(DIRECTORY docs/ DESTINATION "${CMAKE_INSTALL_DOCDIR}/docs" FILES_MATCHING PATTERN "*.md")
install(DIRECTORY deploy/examples/ DESTINATION "${CMAKE_INSTALL_DOCDIR}/examples")
install(DIRECTORY clients/examples/ DESTINATION "${CMAKE_INSTALL_DOCDIR}/examples" FILES_MATCHING PATTERN "*.c")

# Relative to where it lies, so that `cmake --install --prefix` and a moved tree hold, too.
file(RELATIVE_PATH TOCSIN_PC_TO_PREFIX "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig" "${CMAKE_INSTALL_PREFIX}")
string(REGEX REPLACE "/$" "" TOCSIN_PC_TO_PREFIX "${TOCSIN_PC_TO_PREFIX}")
configure_file(cmake/tocsin.pc.in tocsin.pc @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/tocsin.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

foreach(section IN ITEMS 1 5 8)
    file(GLOB pages CONFIGURE_DEPENDS "deploy/man/*.${section}")
    install(FILES ${pages} DESTINATION "${CMAKE_INSTALL_MANDIR}/man${section}")
endforeach()

# The program writes its own completions.
if(TARGET tocsin_cli)
    set(completions)
    foreach(shell IN ITEMS bash zsh fish)
        set(script "${PROJECT_BINARY_DIR}/completions/tocsin.${shell}")
        add_custom_command(OUTPUT "${script}"
            COMMAND "${CMAKE_COMMAND}" -E make_directory "${PROJECT_BINARY_DIR}/completions"
            COMMAND tocsin_cli completion ${shell} > "${script}"
            DEPENDS tocsin_cli VERBATIM)
        list(APPEND completions "${script}")
    endforeach()
    add_custom_target(tocsin_completions ALL DEPENDS ${completions})
    install(FILES "${PROJECT_BINARY_DIR}/completions/tocsin.bash" RENAME tocsin
        DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions")
    install(FILES "${PROJECT_BINARY_DIR}/completions/tocsin.zsh" RENAME _tocsin
        DESTINATION "${CMAKE_INSTALL_DATADIR}/zsh/site-functions")
    install(FILES "${PROJECT_BINARY_DIR}/completions/tocsin.fish"
        DESTINATION "${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d")
endif()

# Not LIBDIR: systemd looks in /usr/lib on every architecture. The units name /usr/bin; what is
# installed names where the programs went, also after `cmake --install --prefix`.
file(GLOB units CONFIGURE_DEPENDS deploy/systemd/*.service deploy/systemd/*.socket
    deploy/systemd/*.timer deploy/systemd/*.target)
install(FILES ${units} DESTINATION lib/systemd/system)
install(CODE "
    file(GLOB installed \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/lib/systemd/system/tocsin-*.service\")
    foreach(unit IN LISTS installed)
        file(READ \"\${unit}\" text)
        string(REPLACE \"=/usr/bin/\" \"=\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/\" text \"\${text}\")
        file(WRITE \"\${unit}\" \"\${text}\")
    endforeach()")
