#include "listing.hpp"

#include <ostream>

namespace disttask::ctl {

void printList(Context& context, const std::vector<Column>& columns, const std::vector<Item>& items) {
  auto& out = context.out();
  switch (context.output()) {
    case Output::kTable: {
      Table table(columns);
      for (const auto& item : items) table.add(item.cells);
      table.print(out, context.terminal());
      return;
    }
    case Output::kJson: {
      Json::Array list;
      list.reserve(items.size());
      for (const auto& item : items) list.push_back(item.json);
      context.printJson(list);
      return;
    }
    case Output::kJsonl:
      for (const auto& item : items) out << item.json.dump() << '\n';
      return;
    case Output::kName:
      for (const auto& item : items) out << printable(item.name) << '\n';
      return;
  }
}

void printOne(Context& context, const std::string& name, const Json& json, const std::function<void()>& print) {
  switch (context.output()) {
    case Output::kTable:
      print();
      return;
    case Output::kJson:
    case Output::kJsonl:
      context.printJson(json);
      return;
    case Output::kName:
      context.out() << printable(name) << '\n';
      return;
  }
}

void printChange(Context& context, const std::string& name, const Json& json) {
  printOne(context, name, json, [] {});
}

}  // namespace disttask::ctl
