#pragma once
#include "disttask/base/json.hpp"
#include "disttask/proto/node.hpp"
#include "disttask/storage/mysql/health.hpp"
#include "disttask/storage/mysql/schema.hpp"
#include "disttask/storage/reason_table.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace disttask::ctl {

enum class Severity : std::uint8_t {
  kNote,     ///< "note": good to know
  kWarning,  ///< "warning": something works less well than it should
  kError,    ///< "error": work cannot go on
};
[[nodiscard]] std::string_view toString(Severity severity) noexcept;

/// One thing that is not as it should be.
struct Finding {
  Severity severity = Severity::kWarning;
  std::string code;     ///< for programs; does not change
  std::string subject;  ///< the node, task, table or type that it is about; may be empty
  std::string text;     ///< a sentence for people
  std::string remedy;   ///< what to do about it
};

/// A live node that did not renew its lease, and was not watched for as long as it may take.
struct UnwatchedNode {
  proto::ExecId exec_id;
  std::chrono::milliseconds watched{};
  std::chrono::milliseconds needed{};
};

/// What a look at a cluster found. What could not be looked at is left as it is here.
struct DoctorFacts {
  std::optional<storage::mysql::ServerHealth> server;
  std::optional<storage::mysql::SchemaStatus> schema;
  bool is_beside_tidb = false;  ///< a live TiDB has the scheduler role, and its own nodes are in the register, too
  std::string role;             ///< whose rights were looked for, such as "reader"
  std::vector<storage::mysql::MissingRight> missing_rights;
  std::optional<storage::RoleHolder> owner;
  std::vector<proto::Node> nodes;
  std::map<proto::ExecId, std::string> ends;  ///< how lives ended, by their events: `stopped` or `evicted`
  std::vector<proto::ExecId> silent;          ///< live nodes that did not renew their lease while they were watched
  std::vector<UnwatchedNode> unwatched;       ///< live ones of which the watch was too short to say so
  std::vector<storage::mysql::RegisteredHost> registered;  ///< all of dist_framework_meta, by host
  std::vector<storage::mysql::RowsOfNode> silent_holders;  ///< what waits or runs on the silent ones
  std::optional<storage::mysql::StuckStates> stuck;
};

/// Says what is wrong, errors first. Pure.
[[nodiscard]] std::vector<Finding> diagnose(const DoctorFacts& facts);
/// Returns the worst: 0 healthy (notes do not count), 1 degraded, 2 down.
[[nodiscard]] int exitCodeOf(const std::vector<Finding>& findings) noexcept;
[[nodiscard]] Json toJson(const Finding& finding);

}  // namespace disttask::ctl
