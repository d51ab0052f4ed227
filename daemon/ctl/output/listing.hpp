#pragma once
#include "disttask/base/json.hpp"
#include "table.hpp"

#include "../context.hpp"

#include <functional>
#include <string>
#include <vector>

namespace disttask::ctl {

/// One thing of a list, for each form of output.
struct Item {
  std::string name;         ///< for -o name: what other commands take
  Json json;                ///< an object
  std::vector<Cell> cells;  ///< of the table
};

/// Writes a list to out in the form that was asked for: a table, one JSON array, one object a line, or names.
void printList(Context& context, const std::vector<Column>& columns, const std::vector<Item>& items);
/// Writes one thing: an object in both JSON forms, its name, or what `print` writes for people.
void printOne(Context& context, const std::string& name, const Json& json, const std::function<void()>& print);
/// The same of a change, of which people are told on stderr: nothing is written for them.
void printChange(Context& context, const std::string& name, const Json& json);

}  // namespace disttask::ctl
