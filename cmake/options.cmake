# How every file of sealpost is compiled: warnings, hardening, sanitizers.
find_package(PkgConfig REQUIRED)

add_library(sp_options INTERFACE)
target_include_directories(sp_options INTERFACE ${PROJECT_SOURCE_DIR}/src)
target_compile_definitions(sp_options INTERFACE _GNU_SOURCE SEALPOST_VERSION="${PROJECT_VERSION}")
target_compile_options(sp_options INTERFACE
  -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wcast-qual -Wvla -Wformat=2
  -Wimplicit-fallthrough -Wno-unused-parameter
  -fno-strict-aliasing -fstack-protector-strong -fno-omit-frame-pointer)
if(SEALPOST_WERROR)
  target_compile_options(sp_options INTERFACE -Werror)
endif()
if(SEALPOST_SANITIZE OR SEALPOST_FUZZ)
  target_compile_options(sp_options INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all)
  target_link_options(sp_options INTERFACE -fsanitize=address,undefined)
elseif(CMAKE_BUILD_TYPE STREQUAL "Release" OR CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  target_compile_definitions(sp_options INTERFACE _FORTIFY_SOURCE=2)
  target_compile_options(sp_options INTERFACE -fPIE -fcf-protection=full -fstack-clash-protection)
  target_link_options(sp_options INTERFACE -pie -Wl,-z,relro,-z,now,-z,noexecstack)
endif()
if(SEALPOST_FUZZ)
  target_compile_options(sp_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
