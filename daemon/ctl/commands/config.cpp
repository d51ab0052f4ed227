#include "../args/config.hpp"

#include "disttask/settings/json_schema.hpp"
#include "disttask/settings/values.hpp"

#include "../../exit_codes.hpp"
#include "../config/online_check.hpp"
#include "../output/listing.hpp"

#include <ostream>

namespace disttask::ctl {
namespace {

std::string fileOf(const Context& context, const std::string& file) {
  if (!file.empty()) return file;
  return context.options().config.empty() ? "/etc/disttask/disttask.yaml" : context.options().config;
}

Json toJson(const settings::SettingsProblem& problem) {
  return Json::Object{
      {"file", problem.file},
      {"line", problem.line},
      {"column", problem.column},
      {"path", problem.path},
      {"text", problem.text}};
}

/// Says what is wrong with settings; false: nothing.
bool printProblems(Context& context, const settings::SettingsRead& read) {
  if (read.problems.empty()) return false;
  Json::Array problems;
  for (const auto& problem : read.problems) problems.push_back(toJson(problem));
  const Json json = Json::Object{
      {"ok", false},
      {"files", Json::Array(read.files.begin(), read.files.end())},
      {"problems", std::move(problems)},
      {"checks", Json::Array()}};
  printOne(context, "failed", json, [] {});
  // As disttaskd says it, also with --quiet.
  for (const auto& problem : read.problems) context.errors() << toString(problem) << '\n';
  return true;
}

void print(Context& context, const settings::SettingsRead& read, const std::vector<CheckLine>& lines) {
  for (const auto& file : read.files) context.out() << file << ": ok\n";
  if (lines.empty()) return;
  Table table({{"CHECK"}, {"RESULT"}, {"WHAT"}});
  for (const auto& line : lines) {
    const auto style = line.state == CheckState::kOk        ? Style::kGood
                       : line.state == CheckState::kWarning ? Style::kWarning
                                                            : Style::kBad;
    auto what = line.subject.empty() ? line.text : line.subject + ": " + line.text;
    if (!line.remedy.empty()) what += "; remedy: " + line.remedy;
    table.add({line.check, Cell(std::string(toString(line.state)), style), what});
  }
  table.print(context.out());
}

}  // namespace

int execute(Context& context, const ConfigCheck& options) {
  const auto read = settings::readSettings(fileOf(context, options.file), context.facts());
  if (printProblems(context, read)) return app::kExitConfig;
  std::vector<CheckLine> lines;
  if (options.online) lines = checkOnline(context, read.settings);
  int code = app::kExitClean;
  Json::Array checks;
  for (const auto& line : lines) {
    if (code == app::kExitClean) code = line.exit_code;
    checks.push_back(ctl::toJson(line));
  }
  const Json json = Json::Object{
      {"ok", code == app::kExitClean},
      {"files", Json::Array(read.files.begin(), read.files.end())},
      {"problems", Json::Array()},
      {"checks", std::move(checks)}};
  printOne(context, code == app::kExitClean ? "ok" : "failed", json, [&] { print(context, read, lines); });
  return code;
}

int execute(Context& context, const ConfigShow& options) {
  const auto read = settings::readSettings(fileOf(context, options.file), context.facts());
  if (printProblems(context, read)) return app::kExitConfig;
  std::vector<Item> items;
  for (const auto& value : settings::valuesOf(read.settings)) {
    const auto name = value.name();
    if (!options.defaults && read.places.count(name) == 0) continue;
    const auto origin = settings::originOf(read, value);
    const Json json = Json::Object{
        {"key", name},
        {"value", settings::redacted(value.value)},
        {"origin", origin},
        {"live", value.key->is_live},
    };
    items.push_back({name, json, {name, settings::shownValue(value), origin}});
  }
  printList(context, {{"KEY"}, {"VALUE"}, {"ORIGIN"}}, items);
  return app::kExitClean;
}

int execute(Context& context, const ConfigSchema& /*options*/) {
  context.out() << settings::settingsJsonSchema().dump(2) << '\n';
  return app::kExitClean;
}

}  // namespace disttask::ctl
