#include "disttask/storage/node_table.hpp"

#include "disttask/base/json.hpp"
#include "disttask/base/utf8.hpp"
#include "disttask/proto/node_types.hpp"
#include "events.hpp"
#include "factories.hpp"
#include "guarded_write.hpp"
#include "store_context.hpp"

#include "statements/dxf.hpp"
#include "statements/event.hpp"
#include "statements/node.hpp"

namespace disttask::storage::mysql {

namespace {

using sqlclient::Result;
using sqlclient::Sql;
using sqlclient::Value;
using sqlclient::Values;

std::string typesToJson(const std::map<std::string, std::string>& types) {
  Json::Object object;
  for (const auto& [type, version] : types) object.emplace(type, version);
  return Json(std::move(object)).dump();
}

proto::Node readNode(const Result& row) {
  proto::Node node;
  std::uint32_t column = 0;
  node.exec_id = row.getString(++column);
  node.life = Life(row.getInt(++column));
  node.instance_uuid = row.getString(++column);
  node.boot_id = row.getString(++column);
  node.lock_file_id = row.getString(++column);
  node.renewals = row.getInt(++column);
  node.lease_ms = row.getInt(++column);
  node.host = row.getString(++column);
  node.pid = row.getInt(++column);
  node.address = row.getString(++column);
  node.nudge_token = row.getInt(++column);
  const auto types = row.getString(++column);
  node.wanted = proto::parseWantedState(row.getString(++column));
  if (!row.isNull(++column)) node.wanted_until = row.getInt(column);
  node.wanted_message = row.getString(++column);
  node.reasons = row.getString(++column);
  node.types = proto::parseNodeTypes(types, node.reasons);
  node.version = row.getString(++column);
  node.epoch = row.getInt(++column);
  node.registered_at = row.getInt(++column);
  node.modifications = row.getInt(++column);
  node.role = row.getString(++column);
  node.slots = static_cast<std::int32_t>(row.getInt(++column));
  node.has_meta_row = row.getInt(++column) != 0;
  return node;
}

/// The columns that a registration writes, in the order of its statements.
Values registrationValues(const proto::Node& node) {
  return {
      node.life.value(),
      node.instance_uuid,
      node.boot_id,
      node.lock_file_id,
      node.lease_ms,
      node.host,
      node.pid,
      node.address,
      node.nudge_token,
      typesToJson(node.types),
      node.reasons,
      node.version,
      node.modifications};
}

void checkWish(const NodeWish& wish) {
  constexpr std::size_t kMaxMessage = 1024;
  const auto refuse = [](const std::string& what) { throw Exception(ErrorCode::kInvalidArgument, what); };
  if (findInvalidUtf8(wish.message) != std::string_view::npos) refuse("the message for a node is no UTF-8");
  if (wish.message.size() > kMaxMessage) {
    refuse("the message for a node has " + std::to_string(wish.message.size()) + " bytes, at most 1024 are kept");
  }
  if (wish.message == proto::kStopDrainMessage) {
    refuse("the message '" + wish.message + "' marks the drain of a node that stops, expected other words");
  }
  if (!wish.limit) return;
  if (wish.wanted != proto::WantedState::kDraining) refuse("only draining has a time limit");
  if (wish.limit->count() < 0) refuse("the time limit of draining must not be negative");
}

class MysqlNodeTable final : public NodeTable {
 public:
  explicit MysqlNodeTable(StoreContext& context) : context_(context) {}

  std::optional<proto::Node> getNode(const Call& call, const ExecId& exec_id) override {
    return context_.read(call, "node.get", [&](Connection& connection) {
      auto rows = connection.query(statements::kGetNode, {exec_id});
      return rows.next() ? std::optional(readNode(rows)) : std::nullopt;
    });
  }

  std::vector<proto::Node> getAllNodes(const Call& call) override {
    return context_.read(call, "node.get_all", [&](Connection& connection) {
      auto rows = connection.query(statements::kGetAllNodes, {});
      std::vector<proto::Node> nodes;
      while (rows.next()) nodes.push_back(readNode(rows));
      return nodes;
    });
  }

  bool registerNode(const Call& call, const proto::Node& node, const std::optional<Life>& expected) override {
    try {
      return context_.inTransaction(call, "node.register", [&](Connection& connection) {
        const bool written = expected ? takeOver(connection, node, *expected) : insert(connection, node);
        if (!written) return false;
        if (!expected && context_.dialect() != nullptr) refuseIdOfOthers(connection, node);
        connection.update(statements::kWriteMeta, {node.exec_id, node.role, std::int64_t{node.slots}});
        const auto where = "host " + node.host + ", pid " + std::to_string(node.pid);
        addNodeEvent(connection, node.exec_id, EventActor::node(node.exec_id), {.name = "registered", .reason = where});
        endStopDrain(connection, node);
        return true;
      });
    } catch (const Exception& e) {
      // The life was drawn for this call alone, so the row itself says whether an unanswered commit went through.
      if (e.error().reaction() != Reaction::kReconnect) throw;
      const auto found = readLife(call, node.exec_id);
      if (!found || *found == expected.value_or(Life())) throw;
      return *found == node.life;
    }
  }

  bool renew(const Call& call, const proto::Node& node) override {
    const Values values{node.lease_ms, node.address, node.reasons, node.modifications, node.exec_id, node.life.value()};
    if (updateForLease(call, statements::kRenewNode, values) == 1) return true;
    // 0 rows alone prove nothing (design rule 10): the row itself must say that it is another's.
    if (readLife(call, node.exec_id) != node.life) return false;
    return updateForLease(call, statements::kRenewNode, values) == 1;
  }

  bool describe(const Call& call, const proto::Node& node) override {
    const auto write = [&] {
      const auto lease = context_.acquireForLease(call);
      sqlclient::Transaction transaction(*lease);
      // The row stays locked until the commit, so the life holds for what follows.
      const Values values{typesToJson(node.types), node.exec_id, node.life.value()};
      if (lease->update(statements::kDescribeNode, values) != 1) return false;
      lease->update(statements::kWriteMeta, {node.exec_id, node.role, std::int64_t{node.slots}});
      transaction.commit();
      return true;
    };
    // Written twice is written once, so whoever got no answer asks again; 0 rows alone prove nothing (design rule 10).
    if (write()) return true;
    return readLife(call, node.exec_id) == node.life && write();
  }

  bool release(const Call& call, const ExecId& exec_id, Life life) override {
    return endLife(
        call, statements::kReleaseNode, {exec_id, life.value()}, exec_id, EventActor::node(exec_id), "stopped", true
    );
  }

  bool evict(const Call& call, const ExecId& exec_id, Life life, std::int64_t renewals) override {
    return endLife(
        call,
        statements::kEvictNode,
        {exec_id, life.value(), renewals},
        exec_id,
        EventActor::observer(),
        "evicted",
        false,
        "it did not renew its lease"
    );
  }

  bool setWish(const Call& call, const ExecId& exec_id, const NodeWish& wish) override {
    checkWish(wish);
    if (context_.dialect() != nullptr) {
      throw Exception(
          ErrorCode::kUnsupported,
          "beside a live TiDB its scheduler hands subtasks out and knows no wishes for node '" + exec_id +
              "': stop its daemon instead, then TiDB moves what it had"
      );
    }
    const auto limit = wish.limit ? Value(std::int64_t{wish.limit->count()}) : Value(nullptr);
    const Values values{std::string(toString(wish.wanted)), limit, wish.message, exec_id};
    RetryPause pause(context_, call, "node.set_wish");
    for (;;) {
      try {
        const bool is_written = context_.inTransaction(pause.call(), "node.set_wish", [&](Connection& connection) {
          if (connection.update(statements::kSetWish, values) != 1) return false;
          addNodeEvent(
              connection,
              exec_id,
              EventActor::user(),
              {.name = "wanted", .to = toString(wish.wanted), .reason = wish.message}
          );
          return true;
        });
        // Written twice is written once; 0 rows alone prove nothing (design rule 10).
        if (is_written) return true;
        if (!readLife(pause.call(), exec_id)) return false;
        pause.wait(std::nullopt);
      } catch (const Exception& e) {
        if (!isWorthAnotherTryOfPerson(e.error())) throw;
        pause.wait(e.error());
      }
    }
  }

  bool drainForStop(const Call& call, const ExecId& exec_id, Life life, std::chrono::seconds limit) override {
    const std::string message(proto::kStopDrainMessage);
    const auto write = [&](Connection& connection) {
      if (connection.update(statements::kDrainForStop, {std::int64_t{limit.count()}, message, exec_id, life.value()}) !=
          1) {
        return false;
      }
      addNodeEvent(
          connection,
          exec_id,
          EventActor::node(exec_id),
          {.name = "wanted", .to = toString(proto::WantedState::kDraining), .reason = message}
      );
      return true;
    };
    if (context_.inTransaction(call, "node.drain_for_stop", write)) return true;
    // 0 rows alone prove nothing (design rule 10).
    const auto node = getNode(call, exec_id);
    if (!node || node->life != life) return false;
    if (node->wanted == proto::WantedState::kNormal) return context_.inTransaction(call, "node.drain_for_stop", write);
    return node->wanted == proto::WantedState::kDraining && node->wanted_message == message;
  }

  bool forget(const Call& call, const ExecId& exec_id, Life life) override {
    if (context_.dialect() != nullptr) leaveToTiDb(call, exec_id, life);
    const auto remove = [&](Connection& connection) {
      if (readLifeWith(connection, statements::kLockNode, exec_id) != life) return false;
      if (life != Life()) {
        throw Exception(ErrorCode::kPrecondition, "node '" + exec_id + "' is not evicted: its process may still work");
      }
      // TiDB itself moves its rows, and keeps the ended ones for a while.
      if (context_.dialect() == nullptr && connection.query(statements::kFindSubtaskOfNode, {exec_id}).next()) {
        throw Exception(ErrorCode::kPrecondition, "subtasks of node '" + exec_id + "' remain");
      }
      connection.update(statements::kDeleteMeta, {exec_id});
      connection.update(sql::kDeleteNodeEvents, {exec_id});
      return connection.update(statements::kDeleteNode, {exec_id, life.value()}) == 1;
    };
    try {
      return context_.inTransaction(call, "node.forget", remove);
    } catch (const Exception& e) {
      if (e.error().reaction() != Reaction::kReconnect || readLife(call, exec_id)) throw;
      return true;  // the commit that was not answered went through
    }
  }

 private:
  static bool insert(Connection& connection, const proto::Node& node) {
    auto values = registrationValues(node);
    values.emplace_back(node.exec_id);
    try {
      return connection.update(statements::kInsertNode, values) == 1;
    } catch (const Exception& e) {
      if (e.error().code() != ErrorCode::kAlreadyExists) throw;
      connection.rollback();  // somebody else's row came first
      return false;
    }
  }

  /// Beside a live TiDB an id that is new to us may be that of a TiDB, whose role would be overwritten.
  void refuseIdOfOthers(Connection& connection, const proto::Node& node) const {
    auto rows = connection.query(statements::kRoleInRegister, {node.exec_id});
    if (!rows.next() || rows.getString(1) == node.role) return;
    throw Exception(
        ErrorCode::kInvalidConfig,
        "node.id: value '" + node.exec_id + "', expected another one: dist_framework_meta of schema '" +
            context_.settings().schema + "' has that host with role '" + rows.getString(1) +
            "', and no node of ours had this id before"
    );
  }

  static bool takeOver(Connection& connection, const proto::Node& node, Life expected) {
    auto values = registrationValues(node);
    values.emplace_back(node.exec_id);
    values.emplace_back(expected.value());
    return connection.update(statements::kTakeNodeOver, values) == 1;
  }

  /// An operator's wish outlives the process, that of a stop does not.
  static void endStopDrain(Connection& connection, const proto::Node& node) {
    const std::string message(proto::kStopDrainMessage);
    if (connection.update(statements::kEndStopDrain, {node.exec_id, node.life.value(), message}) != 1) return;
    addNodeEvent(
        connection,
        node.exec_id,
        EventActor::node(node.exec_id),
        {.name = "wanted", .to = toString(proto::WantedState::kNormal), .reason = "its service began again"}
    );
  }

  static std::optional<Life> readLifeWith(Connection& connection, const Sql& sql, const ExecId& exec_id) {
    auto rows = connection.query(sql, {exec_id});
    return rows.next() ? std::optional(Life(rows.getInt(1))) : std::nullopt;
  }

  std::optional<Life> readLife(const Call& call, const ExecId& exec_id) {
    return context_.read(call, "node.read_life", [&](Connection& connection) {
      return readLifeWith(connection, statements::kReadLife, exec_id);
    });
  }

  /// Sends a write of the lease's own connection; once more when the session had died while it lay idle, which is
  /// harmless for writes that compare the life.
  std::int64_t updateForLease(const Call& call, const Sql& sql, const Values& values) {
    for (bool again = false;; again = true) {
      try {
        return updateOne(*context_.acquireForLease(call), sql, values);
      } catch (const Exception& e) {
        if (again || e.error().reaction() != Reaction::kReconnect) throw;
      }
    }
  }

  /// Beside a live TiDB its scheduler moves the rows of a node that is not registered to others; it cannot see by
  /// itself that a node of ours is gone. So the registration goes first, and the node stays known until no row is left.
  void leaveToTiDb(const Call& call, const ExecId& exec_id, Life life) {
    const auto left = context_.inTransaction(call, "node.leave", [&](Connection& connection) {
      if (life != Life() || readLifeWith(connection, statements::kLockNode, exec_id) != life) return std::int64_t{0};
      connection.update(statements::kDeleteMeta, {exec_id});
      auto rows = connection.query(sql::kDxfUnendedOfNode, {exec_id});
      return rows.next() ? rows.getInt(1) : 0;
    });
    if (left == 0) return;
    throw Exception(
        ErrorCode::kPrecondition,
        std::to_string(left) + " subtasks of node '" + exec_id +
            "' remain; it is registered no more, so TiDB's scheduler moves those of running tasks to other nodes "
            "within "
            "seconds: ask again then"
    );
  }

  /// Sets a life to 0. When the answer was lost, a row that shows 0 counts as done: the life is over either way.
  bool endLife(
      const Call& call,
      const Sql& sql,
      const Values& values,
      const ExecId& exec_id,
      const EventActor& actor,
      std::string_view event,
      bool leaves,
      const std::string& reason = {}
  ) {
    const auto end = [&] {
      const auto lease = context_.acquireForLease(call);
      sqlclient::Transaction transaction(*lease);
      if (lease->update(sql, values) != 1) return false;
      // TiDB cannot see that a node of ours has stopped: without the row its scheduler moves what the node had.
      if (leaves && context_.dialect() != nullptr) lease->update(statements::kDeleteMeta, {exec_id});
      addNodeEvent(*lease, exec_id, actor, {.name = event, .reason = reason});
      transaction.commit();
      return true;
    };
    try {
      return end();
    } catch (const Exception& e) {
      if (e.error().reaction() != Reaction::kReconnect) throw;
    }
    return end() || readLife(call, exec_id) == Life();
  }

  StoreContext& context_;
};

}  // namespace

std::unique_ptr<NodeTable> makeNodeTable(StoreContext& context) {
  return std::make_unique<MysqlNodeTable>(context);
}

}  // namespace disttask::storage::mysql
