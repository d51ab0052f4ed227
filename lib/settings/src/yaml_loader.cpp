// The only source that sees yaml-cpp.
#include "yaml_tree.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <optional>
#include <sstream>
#include <unordered_set>

namespace disttask::settings {
namespace {

constexpr std::size_t kMaxBytes = 1 << 20;
constexpr int kMaxDepth = 32;
constexpr int kMaxNodes = 20'000;

/// Stops a conversion whose size is out of bounds.
struct TooBig {
  Place place;
  const char* why = "";
};

Place placeOf(const YAML::Mark& mark, const Place& parent) {
  return mark.is_null() ? parent : Place{mark.line + 1, mark.column + 1, parent.file};
}

class Converter {
 public:
  explicit Converter(Problems& problems) : problems_(problems) {}

  YamlNode convert(const YAML::Node& from, const Place& parent, int depth) {
    YamlNode to;
    to.place = placeOf(from.Mark(), parent);
    if (depth > kMaxDepth) throw TooBig{to.place, "nested deeper than 32 levels, or an alias that refers to itself"};
    if (++num_nodes_ > kMaxNodes) throw TooBig{to.place, "more than 20,000 values once aliases are written out"};
    switch (from.Type()) {
      case YAML::NodeType::Scalar:
        to.kind = YamlNode::Kind::kScalar;
        to.scalar = from.Scalar();
        to.plain = from.Tag() == "?" || from.Tag().empty();
        break;
      case YAML::NodeType::Sequence:
        to.kind = YamlNode::Kind::kList;
        for (const auto& item : from) to.items.push_back(convert(item, to.place, depth + 1));
        break;
      case YAML::NodeType::Map:
        to.kind = YamlNode::Kind::kMap;
        convertMembers(from, to, depth);
        break;
      default:
        break;
    }
    return to;
  }

 private:
  void convertMembers(const YAML::Node& from, YamlNode& to, int depth) {
    std::unordered_set<std::string> seen;
    for (const auto& member : from) {
      const auto place = placeOf(member.first.Mark(), to.place);
      if (!member.first.IsScalar()) {
        problems_.push_back({place, "", "a key is no text"});
        continue;
      }
      const auto& key = member.first.Scalar();
      if (!seen.insert(key).second) {
        problems_.push_back({place, "", "the key '" + key + "' stands twice"});
        continue;
      }
      auto value = convert(member.second, place, depth + 1);
      // A block begins on the line after its key; people look for the key.
      if (value.kind != YamlNode::Kind::kScalar) value.place = place;
      to.members.push_back({key, place, std::move(value)});
    }
  }

  Problems& problems_;
  int num_nodes_ = 0;
};

/// Sees where the first value of each document stands, and keeps nothing else.
class DocumentMarks final : public YAML::EventHandler {
 public:
  [[nodiscard]] const YAML::Mark& last() const noexcept { return last_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    last_ = mark;
    is_new_ = true;
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override { note(mark); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override { note(mark); }
  void
  OnScalar(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t /*anchor*/, const std::string& /*value*/)
      override {
    note(mark);
  }
  void OnSequenceStart(
      const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t /*anchor*/, YAML::EmitterStyle::value /*style*/
  ) override {
    note(mark);
  }
  void OnSequenceEnd() override {}
  void OnMapStart(
      const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t /*anchor*/, YAML::EmitterStyle::value /*style*/
  ) override {
    note(mark);
  }
  void OnMapEnd() override {}

 private:
  void note(const YAML::Mark& mark) {
    if (is_new_) last_ = mark;
    is_new_ = false;
  }

  YAML::Mark last_;
  bool is_new_ = false;
};

/// Returns where a second document stands, if there is one. Looks at two at most: in some malformed texts the library
/// finds documents without end.
std::optional<YAML::Mark> findSecondDocument(const std::string& text) {
  std::istringstream in(text);
  YAML::Parser parser(in);
  DocumentMarks marks;
  if (!parser.HandleNextDocument(marks) || !parser.HandleNextDocument(marks)) return std::nullopt;
  return marks.last();
}

}  // namespace

YamlNode parseYaml(std::string_view text, Problems& problems, int file) {
  const Place begin{1, 1, file};
  YamlNode empty;
  empty.place = begin;
  empty.kind = YamlNode::Kind::kMap;
  if (text.size() > kMaxBytes) {
    problems.push_back({begin, "", "the file is larger than 1 MiB"});
    return empty;
  }
  try {
    const std::string whole(text);
    if (const auto second = findSecondDocument(whole)) {
      problems.push_back({placeOf(*second, begin), "", "holds more than one YAML document"});
      return empty;
    }
    const auto document = YAML::Load(whole);
    if (document.IsNull()) return empty;
    return Converter(problems).convert(document, begin, 0);
  } catch (const YAML::Exception& failure) {
    problems.push_back({placeOf(failure.mark, begin), "", "no valid YAML: " + failure.msg});
  } catch (const TooBig& failure) {
    problems.push_back({failure.place, "", failure.why});
  }
  return empty;
}

}  // namespace disttask::settings
