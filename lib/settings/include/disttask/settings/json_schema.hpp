#pragma once
#include "disttask/base/json.hpp"

namespace disttask::settings {

/// Returns a JSON Schema (draft 2020-12) of one file of settings, made from the table of keys: for editors. It asks for
/// no key, since a file of `conf.d` may hold any part; ranges of lengths of time and sizes stand in the descriptions.
/// Any thread.
[[nodiscard]] Json settingsJsonSchema();

}  // namespace disttask::settings
