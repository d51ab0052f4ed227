#pragma once
#include "disttask/plugin_common/json_fields.hpp"

namespace disttask::csv_import {

using plugin_common::fail;
using plugin_common::intAt;
using plugin_common::memberAt;
using plugin_common::nonEmptyTextAt;
using plugin_common::parseObject;
using plugin_common::textAt;

}  // namespace disttask::csv_import
