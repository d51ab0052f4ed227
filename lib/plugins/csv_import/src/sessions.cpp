#include "sessions.hpp"

#include "statements.hpp"

namespace disttask::csv_import {
namespace {

using std::chrono::seconds;

plugin_common::SessionKind makeKind(const std::string& name, seconds read_timeout) {
  plugin_common::SessionKind kind;
  kind.name = name;
  kind.read_timeout = read_timeout;
  kind.found_rows = false;  // an ignored duplicate must count 0
  kind.session = {statements::kNames, statements::kStrictMode, statements::kChecksOn, statements::kLockWait};
  kind.where_known = {statements::kNotes, statements::kMaxErrors, statements::kConstraints};
  return kind;
}

plugin_common::SessionKind makeVerifyKind() {
  plugin_common::SessionKind kind = makeKind("csv_verify", seconds(3600));
  for (const char* const statement :
       {statements::kNoStatementTime, statements::kNoExecutionTime, statements::kReadAllCommitted}) {
    kind.where_known.emplace_back(statement);
  }
  return kind;
}

}  // namespace

const plugin_common::SessionKind& sessionKind(Purpose purpose) {
  static const plugin_common::SessionKind kImport = makeKind("csv_import", seconds(60));
  static const plugin_common::SessionKind kVerify = makeVerifyKind();
  return purpose == Purpose::kImport ? kImport : kVerify;
}

}  // namespace disttask::csv_import
