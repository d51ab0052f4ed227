#include "yaml_tree.hpp"

#include <algorithm>
#include <utility>

namespace disttask::settings {

void mergeYaml(YamlNode& base, YamlNode later) {
  using Kind = YamlNode::Kind;
  if (base.kind == Kind::kMap && later.kind == Kind::kNull) return;
  if (base.kind != Kind::kMap || later.kind != Kind::kMap) {
    base = std::move(later);
    return;
  }
  for (auto& member : later.members) {
    const auto at = std::find_if(base.members.begin(), base.members.end(), [&](const YamlMember& known) {
      return known.key == member.key;
    });
    if (at == base.members.end()) {
      base.members.push_back(std::move(member));
      continue;
    }
    // A map that goes on keeps the place where it began.
    if (at->value.kind != Kind::kMap || (member.value.kind != Kind::kMap && member.value.kind != Kind::kNull)) {
      at->place = member.place;
    }
    mergeYaml(at->value, std::move(member.value));
  }
}

}  // namespace disttask::settings
