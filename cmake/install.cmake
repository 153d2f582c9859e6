# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` puts where.

get_property(programs GLOBAL PROPERTY TOCSIN_PROGRAMS)
install(TARGETS tocsin ${programs}
    RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}"
    LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(DIRECTORY include/tocsin DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING PATTERN "*.h")
install(FILES LICENSE DESTINATION "${CMAKE_INSTALL_DOCDIR}")

configure_file(cmake/tocsin.pc.in tocsin.pc @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/tocsin.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

foreach(section IN ITEMS 1 5 8)
    file(GLOB pages CONFIGURE_DEPENDS "deploy/man/*.${section}")
    install(FILES ${pages} DESTINATION "${CMAKE_INSTALL_MANDIR}/man${section}")
endforeach()

if(EXISTS "${PROJECT_SOURCE_DIR}/deploy/completions/tocsin.bash")
    install(FILES deploy/completions/tocsin.bash RENAME tocsin
        DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions")
endif()
if(EXISTS "${PROJECT_SOURCE_DIR}/deploy/completions/_tocsin")
    install(FILES deploy/completions/_tocsin
        DESTINATION "${CMAKE_INSTALL_DATADIR}/zsh/site-functions")
endif()
if(EXISTS "${PROJECT_SOURCE_DIR}/deploy/completions/tocsin.fish")
    install(FILES deploy/completions/tocsin.fish
        DESTINATION "${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d")
endif()

# Not LIBDIR: systemd looks in /usr/lib on every architecture.
file(GLOB units CONFIGURE_DEPENDS deploy/systemd/*.service deploy/systemd/*.socket
    deploy/systemd/*.timer deploy/systemd/*.target)
install(FILES ${units} DESTINATION lib/systemd/system)
