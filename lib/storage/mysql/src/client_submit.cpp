// Submitting tasks.
#include "client_table.hpp"
#include "disttask/base/json.hpp"
#include "disttask/base/random.hpp"
#include "disttask/base/utf8.hpp"
#include "events.hpp"
#include "guarded_write.hpp"

#include "statements/client.hpp"

#include <algorithm>

namespace disttask::storage::mysql {

namespace {

constexpr std::size_t kMaxNameBytes = 256;
constexpr std::size_t kMaxScopeBytes = 64;

[[noreturn]] void refuse(const std::string& message) {
  throw Exception(ErrorCode::kInvalidArgument, message);
}

void checkName(const char* what, const std::string& text) {
  if (text.empty()) refuse(std::string(what) + " is empty");
  if (text.size() > kMaxNameBytes) {
    refuse(
        std::string(what) + " has " + std::to_string(text.size()) + " bytes; the limit is " +
        std::to_string(kMaxNameBytes)
    );
  }
  if (findInvalidUtf8(text) != std::string::npos) refuse(std::string(what) + " is not valid UTF-8");
}

void checkScope(const std::string& scope) {
  const auto is_allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  if (scope.size() > kMaxScopeBytes || !std::all_of(scope.begin(), scope.end(), is_allowed)) {
    refuse("scope '" + toValidUtf8(scope, 100) + "' is not made of at most 64 letters, digits, '_' and '-'");
  }
}

void checkRequest(const TaskRequest& request) {
  checkName("task key", request.key);
  checkName("task type", request.type);
  checkScope(request.target_scope);
  if (request.slots < 1) refuse("task required slots(" + std::to_string(request.slots) + ") must be at least 1");
  if (request.max_nodes < 0) refuse("max nodes must not be negative");
  try {
    static_cast<void>(Json::parse(request.meta));
  } catch (const Exception& e) {
    refuse("task meta is not JSON: " + e.error().message());
  }
}

}  // namespace

void MySqlClientTable::checkNodes(const Call& call, std::int32_t slots) {
  const auto largest = context_.read(call, "largest node", [](Connection& connection) {
    auto rows = connection.query(sql::kLargestNode, {});
    return rows.next() ? rows.getInt(1) : 0;
  });
  // No node yet is no error: the task waits for one.
  if (largest > 0 && slots > largest) {
    throw Exception(
        ErrorCode::kPrecondition,
        std::to_string(slots) + " slots asked for; the largest known node has " + std::to_string(largest) +
            " (disttaskctl node ls shows all)"
    );
  }
}

std::optional<MySqlClientTable::KeyOwner> MySqlClientTable::findOwnerOfKey(
    const Call& call, const std::string& key, const std::string& token
) {
  return context_.read(call, "owner of a task key", [&](Connection& connection) -> std::optional<KeyOwner> {
    for (const auto* query : {&sql::kOwnerOfKey, &sql::kOwnerOfKeyHistory}) {
      auto rows = connection.query(*query, {key});
      if (rows.next()) return KeyOwner{TaskId(rows.getInt(1)), rows.getString(2) == token};
    }
    return std::nullopt;
  });
}

SubmitResult MySqlClientTable::submitTask(const Call& call, const TaskRequest& request) {
  refuseBesideTiDb("submit of a task");
  call.check("submit of a task");
  checkRequest(request);
  checkNodes(call, request.slots);
  const auto token = "submit:" + std::to_string(randomToken());
  const sqlclient::Values values{
      request.key,
      request.type,
      token,
      std::int64_t{request.priority},
      request.meta,
      std::int64_t{request.slots},
      request.target_scope,
      std::int64_t{request.max_nodes},
      toJson(request.extra),
  };
  RetryPause pause(context_, call, "submit of a task");
  for (;;) {
    std::optional<Error> last;
    try {
      const auto inserted = context_.inTransaction(
          pause.call(),
          "submit of a task",
          [&](Connection& connection) -> std::optional<TaskId> {
            try {
              connection.update(sql::kSubmit, values);
            } catch (const Exception& e) {
              if (e.error().code() != ErrorCode::kAlreadyExists) throw;
              connection.rollback();
              return std::nullopt;
            }
            // In this order: whoever moves a task to history holds its key until the history row is there.
            {
              auto rows = connection.query(sql::kOwnerOfKeyHistory, {request.key});
              if (rows.next()) {
                connection.rollback();
                return std::nullopt;
              }
            }
            TaskId id;
            {
              auto rows = connection.query(sql::kOwnerOfKey, {request.key});
              if (!rows.next()) throw Exception(ErrorCode::kInternal, "the task just inserted is not there");
              id = TaskId(rows.getInt(1));
            }
            addSubmitEvent(connection, id);
            return id;
          }
      );
      if (inserted) return {*inserted, false};
      if (const auto owner = findOwnerOfKey(pause.call(), request.key, token)) return {owner->id, !owner->ours};
      // The owner of the key went between the two looks: try again.
    } catch (const Exception& e) {
      if (!isWorthAnotherTryOfPerson(e.error())) throw;
      last = e.error();
    }
    pause.wait(last);
  }
}

}  // namespace disttask::storage::mysql
