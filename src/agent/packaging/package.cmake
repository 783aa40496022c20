# SPDX-License-Identifier: Apache-2.0
# The agent's Debian package: `cmake --build --preset release && cd build/release && cpack -G DEB`.
if(NOT TARGET sekisho-agent)
  return()
endif()

set(PACKAGING ${CMAKE_CURRENT_LIST_DIR})
install(TARGETS sekisho-agent RUNTIME DESTINATION usr/sbin COMPONENT agent)
install(FILES ${PACKAGING}/sekisho-agent.service DESTINATION lib/systemd/system COMPONENT agent)
install(FILES ${PACKAGING}/agent.conf DESTINATION etc/sekisho-agent COMPONENT agent
        PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ)
install(FILES ${PACKAGING}/sekisho-agent.8 DESTINATION usr/share/man/man8 COMPONENT agent)
install(FILES ${CMAKE_SOURCE_DIR}/LICENSE DESTINATION usr/share/doc/sekisho-agent RENAME copyright COMPONENT agent)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME sekisho-agent)
set(CPACK_PACKAGE_VENDOR "The Sekisho authors")
set(CPACK_PACKAGE_CONTACT "The Sekisho authors <maintainers@sekisho.invalid>")
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Agent of the Sekisho endpoint management service")
set(CPACK_PACKAGING_INSTALL_PREFIX /)
set(CPACK_COMPONENTS_ALL agent)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_AGENT_PACKAGE_NAME sekisho-agent)
set(CPACK_DEBIAN_AGENT_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_AGENT_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_AGENT_DESCRIPTION
    "Agent of the Sekisho endpoint management service\n It protects a Linux computer with ClamAV, reports facts and detections to the\n management server over mutual TLS, and does the tasks that it is given.")
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_AGENT_PACKAGE_DEPENDS "adduser, init-system-helpers")
set(CPACK_DEBIAN_AGENT_PACKAGE_RECOMMENDS "clamav-daemon, nftables")
set(CPACK_DEBIAN_AGENT_PACKAGE_CONTROL_EXTRA
    ${PACKAGING}/postinst ${PACKAGING}/prerm ${PACKAGING}/postrm ${PACKAGING}/conffiles)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
