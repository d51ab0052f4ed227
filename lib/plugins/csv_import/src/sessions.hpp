#pragma once
#include "disttask/plugin_common/sessions.hpp"

#include <cstdint>

namespace disttask::csv_import {

using plugin_common::ConnectionInfo;
using plugin_common::parseConnection;
using plugin_common::Sessions;

enum class Purpose : std::uint8_t {
  kImport,  ///< strict sql_mode, short time limits
  kVerify,  ///< reads much: an answer may take an hour
};

/// Returns how sessions for this are set up.
[[nodiscard]] const plugin_common::SessionKind& sessionKind(Purpose purpose);

}  // namespace disttask::csv_import
