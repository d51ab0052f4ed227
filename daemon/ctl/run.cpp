#include "run.hpp"

#include "context.hpp"

#include "../exit_codes.hpp"

#include <ostream>

namespace disttask::ctl {
namespace {

int exitCodeOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return app::kExitUsage;
    case ErrorCode::kInvalidConfig:
      return app::kExitConfig;
    case ErrorCode::kNotFound:
      return app::kCtlNotFound;
    case ErrorCode::kAlreadyExists:
    case ErrorCode::kPrecondition:
      return app::kCtlRefused;
    case ErrorCode::kStoreNoPrivilege:
      return app::kExitLogin;
    case ErrorCode::kStoreSchema:
      return app::kExitSchema;
    case ErrorCode::kStoreUnavailable:
    case ErrorCode::kStoreTooMany:
    case ErrorCode::kStoreReadOnly:
    case ErrorCode::kTimedOut:
      return app::kCtlUnavailable;
    default:
      return app::kCtlFailed;
  }
}

}  // namespace

int run(const Arguments& arguments, std::ostream& out, std::ostream& err) {
  try {
    Context context(arguments.common, out, err);
    return arguments.command.run(context);
  } catch (const std::exception&) {
    const auto error = currentError();
    err << "disttaskctl: " << error.message() << '\n';
    return exitCodeOf(error.code());
  }
}

}  // namespace disttask::ctl
