#include "run.hpp"

#include "context.hpp"

#include "../exit_codes.hpp"
#include "output/table.hpp"

#include <optional>
#include <ostream>
#include <string_view>

namespace disttask::ctl {
namespace {

int exitCodeOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return app::kExitUsage;
    case ErrorCode::kInvalidConfig:
    case ErrorCode::kStoreSessionUnfit:
      return app::kExitConfig;
    case ErrorCode::kNotFound:
      return app::kCtlNotFound;
    case ErrorCode::kAlreadyExists:
    case ErrorCode::kPrecondition:
    case ErrorCode::kUnsupported:
      return app::kCtlRefused;
    case ErrorCode::kStoreNoPrivilege:
      return app::kExitLogin;
    case ErrorCode::kStoreSchema:
      return app::kExitSchema;
    case ErrorCode::kStoreUnavailable:
    case ErrorCode::kStoreTooMany:
    case ErrorCode::kStoreReadOnly:
    case ErrorCode::kStoreDiskFull:
    case ErrorCode::kTimedOut:
      return app::kCtlUnavailable;
    default:
      return app::kCtlFailed;
  }
}

/// Writes an error, one problem a line. It may quote a row that anybody has written: no byte of that commands the
/// terminal.
void printError(std::ostream& err, std::string_view message) {
  err << "disttaskctl: ";
  for (;;) {
    const auto end = message.find('\n');
    err << printable(message.substr(0, end)) << '\n';
    if (end == std::string_view::npos) break;
    message.remove_prefix(end + 1);
  }
}

}  // namespace

int run(const Arguments& arguments, std::ostream& out, std::ostream& err) {
  std::optional<Context> context;
  try {
    context.emplace(arguments.common, out, err);
    return arguments.command.run(*context);
  } catch (const std::exception&) {
    const auto error = currentError();
    const auto code = error.code();
    printError(err, error.message());
    if ((code == ErrorCode::kStoreSchema || code == ErrorCode::kStoreNoPrivilege) && context &&
        context->isWithoutSideTables()) {
      err << "There are no side tables of disttask here that this account may read. Without them there are: task ls, "
             "show, subtasks, wait and watch, subtask show, node ls, history ls, top\n";
    } else if (code == ErrorCode::kStoreSchema && error.message().find("schema install") == std::string::npos) {
      err << "Tables of disttask are missing there, or of another version: disttaskctl schema install makes them, "
             "disttaskctl doctor says what is wrong\n";
    }
    return exitCodeOf(code);
  }
}

}  // namespace disttask::ctl
